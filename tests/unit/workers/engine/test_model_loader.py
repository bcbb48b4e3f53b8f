"""The loader of models: bytes that torch does not know, on a GPU that is made up; locks that cannot be read."""

import logging
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from core.errors.failures import WeightsNotLocked
from core.settings import Settings
from pipelines.catalog.loader import Catalog
from pipelines.weights.local_lock import local_lock
from pipelines.weights.lockfile import Lock, write_lock
from tests.support.checkpoints.specs import spec
from workers.engine.model_loader import ModelLoader, lock_reader, servable_now

ENTRY = spec(family="tests.support.faults.chaos:Chaos", source={}, vram_bytes=1000)


@pytest.mark.parametrize(
    ("device", "used", "expected"), [("cuda:0", [50, 50], 1000), ("cuda:0", [50, 350], 300), ("cpu", [50, 50], 0)]
)
def test_it_counts_as_the_catalog_says_unless_it_is_measured(
    monkeypatch: pytest.MonkeyPatch, device: str, used: list[int], expected: int
) -> None:
    loader = ModelLoader(Catalog((ENTRY,)), Lock, Settings(device="cpu"))
    monkeypatch.setattr(loader, "device", msgspec.structs.replace(loader.device, name=device))
    figures: Iterator[int] = iter(used)
    monkeypatch.setattr(loader, "memory_used", lambda: next(figures))
    assert expected == loader.load("tiny").size


@pytest.mark.parametrize("which", ["weights.lock", "local"])
def test_a_lock_that_cannot_be_read_fails_loads_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, which: str
) -> None:
    """The caller gets a sentence without a path of this machine, the log has the path, and the engine goes on."""
    file = tmp_path / "weights.lock" if which == "weights.lock" else local_lock(tmp_path / "weights")
    file.parent.mkdir(exist_ok=True)
    write_lock(Lock(), tmp_path / "weights.lock")
    file.write_text("{")
    settings = Settings(
        device="cpu", weights_dir=str(tmp_path / "weights"), weights_lock=str(tmp_path / "weights.lock")
    )
    catalog = Catalog((ENTRY,))
    locks = lock_reader(settings, catalog)
    loader = ModelLoader(catalog, locks, settings)

    with caplog.at_level(logging.ERROR), pytest.raises(WeightsNotLocked) as refused:
        loader.load("tiny")
    assert str(tmp_path) not in refused.value.detail
    assert str(file) in caplog.text
    assert () == servable_now(settings, catalog, locks)

    write_lock(Lock(), file)
    assert "tiny" in [spec.id for spec in servable_now(settings, catalog, locks)]
    assert 0 == loader.load("tiny").size
