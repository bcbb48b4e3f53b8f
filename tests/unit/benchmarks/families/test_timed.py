"""The families of the benchmarks: when they computed, and that they are offloaded like the families they stand for."""

from pathlib import Path

from benchmarks.families.timed import LOG, busy_fraction, take_log
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
        loader = ModelLoader(load_catalog(MODELS), lambda: read_lock(settings.weights_lock), settings)
        loaded = loader.load("tiny-sdxl")
    while not loaded.has_master:
        assert loaded.copy_chunk()
    loaded.offload()
    loaded.restore()
    assert loaded.bytes > 1_000_000


def test_a_timed_device_without_weights_has_none_to_move(tmp_path: Path) -> None:
    with environment(settings_in(tmp_path) | {"ATELIER_DEVICE": "cpu"}):
        settings = read_settings()
        loader = ModelLoader(load_catalog(MODELS), lambda: read_lock(settings.weights_lock), settings)
        loaded = loader.load("simulated-image")
    assert not loaded.copy_chunk()
    assert 0 == loaded.bytes


def test_the_busy_fraction_counts_time_once_and_gaps_not_at_all() -> None:
    assert 1.0 == busy_fraction([(0.0, 4.0), (1.0, 2.0), (4.0, 10.0)])
    assert 0.75 == busy_fraction([(10.0, 12.0), (13.0, 14.0)])


def test_a_log_is_sorted_and_taken_once(tmp_path: Path) -> None:
    (tmp_path / LOG).write_text("5.0 6.5\n1.0 2.0\n")
    assert [(1.0, 2.0), (5.0, 6.5)] == take_log(tmp_path)
    assert [] == take_log(tmp_path)
