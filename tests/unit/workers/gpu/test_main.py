"""The signals of a GPU worker."""

import signal

import pytest
from celery.exceptions import WorkerShutdown
from celery.worker import state

from workers.gpu import main


@pytest.fixture
def celery_state(monkeypatch):
    monkeypatch.setattr(state, "should_stop", None)
    return state


@pytest.mark.parametrize("number", main.SIGNALS)
def test_a_signal_while_celery_starts_stops_it_without_raising(celery_state, number):
    before = signal.signal(number, main._stop_celery)
    try:
        signal.raise_signal(number)
    finally:
        signal.signal(number, before)
    with pytest.raises(WorkerShutdown):
        celery_state.maybe_shutdown()
