"""What an engine's memory is, with a torch that is made up."""

import pytest

from pipelines.runtime import nvml
from pipelines.runtime.device_memory import memory_free, memory_used, read_peak, reset_peak
from tests.support.gpu_worker.card import GIB, Card


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Card:
    return Card.install(monkeypatch)


def test_on_the_cpu_it_is_this_processs() -> None:
    assert 2**20 < memory_used("cpu") < 2**36


def test_without_the_drivers_figure_it_is_what_torch_allocated(card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvml, "process_bytes", lambda uuid: None)
    card.allocated, card.cached, card.neighbors = 5 * GIB, 2 * GIB, 40 * GIB
    assert 5 * GIB == memory_used("cuda:0")


def test_the_drivers_figure_counts_without_torchs_cache(card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(nvml, "process_bytes", lambda uuid: asked.append(uuid) or 10 * GIB)
    card.allocated, card.cached = 5 * GIB, 2 * GIB
    assert 8 * GIB == memory_used("cuda:0")
    assert ["GPU-5f1c"] == asked


def test_what_is_free_is_the_cards_and_torchs_cache(card: Card) -> None:
    card.allocated, card.cached, card.neighbors = 5 * GIB, 2 * GIB, 40 * GIB
    assert 35 * GIB == memory_free("cuda:0")


def test_a_peak_begins_at_what_is_allocated(card: Card) -> None:
    card.allocate(30 * GIB)
    card.allocate(-25 * GIB)
    assert 5 * GIB == reset_peak("cuda:0")
    card.allocate(10 * GIB)
    card.allocate(-10 * GIB)
    assert 15 * GIB == read_peak("cuda:0")
