"""The families of the benchmarks take part in offloading as the families that they stand for do."""

from pathlib import Path

from benchmarks.running.catalog import MODELS, environment, settings_in
from core.settings import read_settings
from pipelines.catalog.loader import load_catalog
from pipelines.weights.lockfile import read_lock
from tests.support.checkpoints.tiny_checkpoints import save
from workers.engine.model_loader import ModelLoader


def test_a_timed_model_is_parked_in_host_memory(tmp_path: Path) -> None:
    save("sdxl", tmp_path / "tiny-sdxl")
    given = settings_in(tmp_path) | {"ATELIER_DEVICE": "cpu", "ATELIER_CPU_THREADS": "1"}
    with environment(given):
        settings = read_settings()
        loader = ModelLoader(load_catalog(MODELS), read_lock(settings.weights_lock), settings)
        loaded = loader.load("tiny-sdxl", keeps=True)
    assert loaded.has_master
    loaded.offload()
    loaded.restore()
    assert loaded.bytes > 1_000_000


def test_a_timed_device_without_weights_has_none_to_move(tmp_path: Path) -> None:
    with environment(settings_in(tmp_path) | {"ATELIER_DEVICE": "cpu"}):
        settings = read_settings()
        loader = ModelLoader(load_catalog(MODELS), read_lock(settings.weights_lock), settings)
        loaded = loader.load("simulated-image", keeps=True)
    assert not loaded.has_master
    assert 0 == loaded.bytes
