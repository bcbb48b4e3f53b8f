"""The modules of the SDKs that are written from others are what `scripts/sdk_models.py` writes now."""

import subprocess
import sys

import pytest

from scripts import sdk_models, sdk_types


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


def test_the_package_imports_nothing_of_the_service():
    script = "import sys, atelier_client; print(sorted({'api', 'cli', 'core', 'jobs', 'litestar'} & set(sys.modules)))"
    outcome = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "[]" == outcome.stdout.strip()
