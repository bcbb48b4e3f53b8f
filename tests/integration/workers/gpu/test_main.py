"""The Celery side of a GPU worker on a real Valkey."""

import queue
import threading
from types import SimpleNamespace

import pytest
from celery.contrib.testing.worker import start_worker
from redis import Redis

from core.settings import Settings
from jobs.doorbell import Doorbell, model_queue
from tests.support.rows.rows import MODEL
from workers.gpu.main import bell_app, main


@pytest.mark.usefixtures("celery_logs_as_they_are")
def test_a_bell_rings_without_the_pool(rows, broker_url):
    """In the thread that receives it, and nothing is left to acknowledge."""
    settings, rung = Settings(broker_url=broker_url), queue.SimpleQueue()
    supervisor = SimpleNamespace(ring=lambda: rung.put(threading.current_thread().name))
    doorbell, job = Doorbell(settings), rows.submit(rows.tenant())
    with start_worker(
        bell_app(settings, supervisor, [model_queue(MODEL)]),
        pool="threads",
        perform_ping_check=False,
        shutdown_timeout=20,
    ):
        for _ in range(3):
            doorbell.ring(job)
            assert "ThreadPoolExecutor" not in rung.get(timeout=20)
        assert not Redis.from_url(broker_url).exists("unacked")
    assert rung.empty()


def test_a_wrong_setting_ends_the_worker_with_a_sentence(monkeypatch):
    monkeypatch.setenv("ATELIER_BROKER_URL", "amqp://broker")
    with pytest.raises(SystemExit, match=r"^gpu worker: ATELIER_BROKER_URL"):
        main("one")
