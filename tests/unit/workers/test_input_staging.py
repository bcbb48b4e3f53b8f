"""Clean inputs on their way to the engine."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from core.errors.failures import InputUnreachable
from core.errors.unavailable import StorageUnavailable
from core.storage.directory import DirectoryStore
from jobs.params.base import Params
from jobs.params.image import ImageParams
from workers.input_staging import read, stage, wants_inputs


def job(params: Params) -> Any:
    return SimpleNamespace(read_params=lambda: params)


WITH = job(ImageParams(prompt="a", input_image="http://x/a", reference_images=("http://x/b", "inp_1")))
COPIES = {
    "input_image": "t/j/inputs/a.png",
    "reference_images.0": "t/j/inputs/b.png",
    "reference_images.1": "t/j/c.png",
}


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    made = DirectoryStore(tmp_path / "store", "http://here", "secret")
    for key in COPIES.values():
        (tmp_path / "source").write_text(key)
        made.put(key, tmp_path / "source", "image/png")
    return made


def test_only_some_jobs_want_inputs() -> None:
    assert [True, False] == [wants_inputs(WITH), wants_inputs(job(ImageParams(prompt="a")))]


def test_every_input_is_there_by_its_name(store: DirectoryStore, tmp_path: Path) -> None:
    files = stage(store, WITH, COPIES, tmp_path / "inputs")
    assert COPIES == {name: Path(file).read_text() for name, file in files.items()}
    assert {".png"} == {Path(file).suffix for file in files.values()}


@pytest.mark.parametrize("missing", COPIES)
def test_a_missing_input_is_named(store: DirectoryStore, tmp_path: Path, missing: str) -> None:
    shown = missing.replace(".0", "[0]").replace(".1", "[1]")
    with pytest.raises(InputUnreachable) as from_row:
        stage(store, WITH, {name: key for name, key in COPIES.items() if name != missing}, tmp_path / "inputs")
    store.path(COPIES[missing]).unlink()
    with pytest.raises(InputUnreachable) as from_store:
        stage(store, WITH, COPIES, tmp_path / "inputs")
    assert from_row.value.detail == from_store.value.detail
    assert from_row.value.detail.startswith(f"`{shown}`: ")


def test_a_full_disk_is_not_a_full_store(store: DirectoryStore) -> None:
    with pytest.raises(StorageUnavailable, match="is full") as caught:
        read(store, COPIES["input_image"], Path("/dev/full"))
    assert not caught.value.full
