from pathlib import Path

import pytest

from pipelines.catalog import load_catalog
from pipelines.lockfile import Lock, LockedFile, LockedModel, read_lock, write_lock
from pipelines.weights import verify

MODEL = LockedModel(files={"b": LockedFile(size=1, sha256="00"), "a": LockedFile(size=None, sha256=None)}, repo="r/r")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    lock = Lock({"m": MODEL})

    write_lock(lock, tmp_path / "weights.lock")

    assert lock == read_lock(tmp_path / "weights.lock")
    assert ["weights.lock"] == [file.name for file in tmp_path.iterdir()]


def test_the_same_facts_give_the_same_bytes_whatever_their_order(tmp_path: Path) -> None:
    turned = LockedModel(files=dict(reversed(MODEL.files.items())), repo="r/r")

    write_lock(Lock({"m": MODEL, "n": MODEL}), tmp_path / "one")
    write_lock(Lock({"n": turned, "m": turned}), tmp_path / "two")

    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert (tmp_path / "one").read_text().endswith("}\n")


@pytest.mark.parametrize("text", ["", "[]", '{"models": {"m": {"files": {"a": {"size": "x"}}}}}', '{"version": 2}'])
def test_what_is_no_lock_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "weights.lock").write_text(text)

    with pytest.raises(ValueError, match=r"weights\.lock: "):
        read_lock(tmp_path / "weights.lock")


def test_a_lock_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="No such file"):
        read_lock(tmp_path / "weights.lock")


def test_the_committed_lock_is_as_written_and_fits_the_catalogue(tmp_path: Path) -> None:
    lock = read_lock()
    write_lock(lock, tmp_path / "again")

    assert (tmp_path / "again").read_bytes() == Path("weights.lock").read_bytes()
    for model in load_catalog().models:
        if model.source.repo:
            assert (model.source.repo, model.source.revision) == (
                lock.models[model.id].repo,
                lock.models[model.id].revision,
            )


def test_what_ships_with_the_repository_is_what_the_lock_says() -> None:
    for model in load_catalog().models:
        folder = model.directory(Path("weights"))
        if model.source.shipped and folder.exists():
            verify(model, read_lock(), Path("weights"))
