"""Families are imported one at a time, each once; they are modules that a test writes."""

import os
import sys
from pathlib import Path

import pytest

from tests.support.checkpoints.specs import spec
from workers.engine.family_imports import FamilyImports, without_cuda


@pytest.fixture
def families(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of two families whose modules can be imported, and of one that cannot."""
    names = ["made_up_one", "made_up_broken", "made_up_two"]
    for name in names:
        (tmp_path / f"{name}.py").write_text("class Family: ...")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in names:
        monkeypatch.delitem(sys.modules, name, raising=False)
    return names


def imported(families: list[str]) -> list[str]:
    return [name for name in families if name in sys.modules]


@pytest.mark.parametrize("error", ["ImportError", "OSError", "RuntimeError"])
def test_families_are_imported_one_by_one(families: list[str], error: str, tmp_path: Path) -> None:
    (tmp_path / "made_up_broken.py").write_text(f"raise {error}")
    models = [spec(family=f"{name}:Family") for name in families for _ in range(2)]
    imports = FamilyImports(models)
    assert [] == imported(families)
    assert imports.import_next()
    assert ["made_up_one"] == imported(families)
    assert [True, True, False, False] == [imports.import_next() for _ in range(4)]
    assert ["made_up_one", "made_up_two"] == imported(families)


@pytest.mark.parametrize("before", [None, "0"])
def test_cuda_is_left_alone_during_imports(before: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "PYTORCH_NVML_BASED_CUDA_CHECK"
    monkeypatch.setenv(name, "0") if before else monkeypatch.delenv(name, raising=False)
    with without_cuda():
        assert "1" == os.environ[name]
    assert before == os.environ.get(name)
