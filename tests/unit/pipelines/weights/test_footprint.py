"""What a model takes on disk, in memory by precision, and of a card."""

from pathlib import Path

import pytest

from pipelines.catalog.loader import Catalog, load_catalog
from pipelines.catalog.spec import ModelSpec
from pipelines.weights.footprint import Footprint, footprint, footprints
from pipelines.weights.lockfile import Lock, LockedFile, LockedModel, read_lock, write_lock
from tests.support.checkpoints.specs import spec

GB = 10**9
SPECS = {one.id: one for one in load_catalog().models}
HUB = {"repo": "a/b", "revision": "1" * 40}


def locked(size: int | None) -> Lock:
    return Lock({"tiny": LockedModel(files={"a.safetensors": LockedFile(size=size, sha256=None)}, **HUB)})


def tiny(**changes: object) -> ModelSpec:
    return spec(source=HUB, **changes)


def test_weights_are_listed_by_precision() -> None:
    assert {"bfloat16": 4 * GB, "float16": 4 * GB, "float32": 8 * GB} == (
        footprint(tiny(), locked(4 * GB)).weights_bytes
    )


def test_an_onnx_model_has_one_precision() -> None:
    assert {"float32": 175997641} == footprint(SPECS["u2net"], read_lock()).weights_bytes


def test_what_the_lock_does_not_know_is_not_guessed() -> None:
    nothing = Footprint(disk_bytes=None, weights_bytes={}, smallest_card_gb=8)
    assert nothing == footprint(tiny(vram_bytes=GB), locked(None))
    assert nothing == footprint(tiny(vram_bytes=GB), Lock())


def test_the_files_of_known_size_are_the_least_on_disk() -> None:
    lock = locked(GB)
    assert (GB, None) == of_disk(lock)
    lock.models["tiny"].files["config.json"] = LockedFile(size=None, sha256=None)
    assert (GB, GB) == of_disk(lock), "a small file is missing in the sum"
    lock.models["tiny"].files["b.safetensors"] = LockedFile(size=None, sha256=None)
    assert (None, GB) == of_disk(lock)


def of_disk(lock: Lock) -> tuple[int | None, int | None]:
    found = footprint(tiny(), lock)
    return found.disk_bytes, found.disk_bytes_at_least


@pytest.mark.parametrize(
    ("estimate", "card"),
    [(0, 8), (7 * GB, 8), (8 * GB, 8), (9 * GB, 12), (24 * GB, 24), (25 * GB, 32), (90 * GB, None)],
)
def test_a_card_has_room_for_the_estimate(estimate: int, card: int | None) -> None:
    assert card == footprint(tiny(vram_bytes=estimate), locked(GB)).smallest_card_gb


def test_a_card_has_room_for_weights_beyond_the_estimate() -> None:
    assert 24 == footprint(tiny(vram_bytes=GB), locked(20 * GB)).smallest_card_gb


def test_a_model_without_weights_needs_no_card() -> None:
    assert Footprint(disk_bytes=0, weights_bytes={}, smallest_card_gb=None) == footprint(spec(source={}), Lock())


def test_a_lock_that_is_missing_knows_nothing(tmp_path: Path) -> None:
    file = tmp_path / "weights.lock"
    assert footprints(Catalog((tiny(),)), str(file))["tiny"].disk_bytes is None
    write_lock(locked(5), file)
    assert 5 == footprints(Catalog((tiny(),)), str(file))["tiny"].disk_bytes
