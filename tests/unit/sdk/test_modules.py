"""The modules of the SDKs that are written from others are what `scripts/sdk_models.py` writes now."""

import subprocess
import sys

import pytest

from atelier_client import AsyncAtelier, Atelier
from jobs.params.registry import MODALITIES
from scripts import sdk_models, sdk_types

NAMES = {"3d": "mesh"}
"""Methods of modalities whose name is not one."""


@pytest.mark.parametrize("name", ["models.py", "requests.py", "client.py"])
def test_a_written_module_is_current(name, tmp_path):
    file = tmp_path / name
    file.write_text(sdk_models.modules()[name])
    sdk_models.tidy(file)
    assert (sdk_models.FOLDER / name).read_text() == file.read_text(), "run `python scripts/sdk_models.py`"


@pytest.mark.parametrize("name", ["src/types.ts", "dist/types.d.ts", "dist/types.js"])
def test_the_types_of_typescript_are_current(name):
    text = sdk_types.modules()[name]
    assert (sdk_types.FOLDER / name).read_text() == text, "run `python scripts/sdk_models.py`"


@pytest.mark.parametrize("modality", [each.name for each in MODALITIES])
def test_every_tool_has_a_method_in_both_sdks(modality):
    name = NAMES.get(modality, modality)
    assert all(callable(getattr(client, name.replace("-", "_"))) for client in (Atelier, AsyncAtelier))
    first, *others = name.split("-")
    declared = (sdk_types.FOLDER / "dist/client.d.ts").read_text()
    assert f'{first}{"".join(map(str.title, others))}(params: ParamsOf["{modality}"]' in declared


def test_the_package_imports_nothing_of_the_service():
    script = "import sys, atelier_client; print(sorted({'api', 'cli', 'core', 'jobs', 'litestar'} & set(sys.modules)))"
    outcome = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "[]" == outcome.stdout.strip()
