"""What `requirements-nodeps.txt` installs past the resolver: there, as pinned, and importable beside the rest."""

import re
import subprocess
import sys
from importlib.metadata import version

import pytest

from tests.support.paths import ROOT

LINES = re.sub(r"#.*|\\\n", "", (ROOT / "requirements-nodeps.txt").read_text()).split("\n")
PINNED = dict(line.split()[0].split("==") for line in LINES if line.strip())


@pytest.mark.parametrize("name", PINNED)
def test_the_pinned_version_is_installed(name: str) -> None:
    assert PINNED[name] == version(name)


def test_everything_is_pinned_by_hash() -> None:
    assert {"chatterbox-tts", "conformer", "resemble-perth", "s3tokenizer", "torchaudio"} == set(PINNED)
    assert all("--hash=sha256:" in line for line in LINES if line.strip())


def test_setuptools_still_has_what_the_watermark_imports() -> None:
    assert int(version("setuptools").partition(".")[0]) < 82


@pytest.mark.long
def test_torchaudio_imports_whatever_torch_was_built_for() -> None:
    code = (
        "import sys; from pipelines.runtime import torchaudio_stub; torchaudio_stub.install();"
        " assert 'torch' not in sys.modules; import torchaudio.compliance.kaldi"
    )
    outcome = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )

    assert (0, "") == (outcome.returncode, outcome.stderr)
