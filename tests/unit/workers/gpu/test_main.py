"""The signals of a GPU worker."""

import signal
from types import SimpleNamespace

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


@pytest.mark.parametrize(("defect", "status"), [("", 0), ("the GPU is gone", 1)])
def test_the_exit_status_says_whether_the_worker_was_broken(monkeypatch, defect, status):
    handlers = {number: signal.getsignal(number) for number in main.SIGNALS}
    monkeypatch.setattr(main, "expose", lambda *_: None)
    monkeypatch.setattr(main, "_listen", lambda *_: None)
    monkeypatch.setattr(main.sys, "setswitchinterval", lambda _: None)
    supervisor = SimpleNamespace(start=lambda: None, stop=lambda: None, defect=defect)
    try:
        assert status == main.serve(None, supervisor, None)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
