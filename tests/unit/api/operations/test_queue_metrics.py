"""Metrics beside a store whose disk does not answer."""

import threading
from types import SimpleNamespace

from api.operations import queue_metrics
from api.operations.queue_metrics import QueueMetrics
from core.errors.unavailable import DatabaseUnavailable


class Hanging:
    """A store on a file system that is away."""

    def __init__(self):
        self.asked, self.is_back = 0, threading.Event()

    def free_bytes(self):
        self.asked += 1
        self.is_back.wait(10)
        return 4096


async def test_a_disk_that_does_not_answer_is_asked_once(monkeypatch):
    async def ok():
        return "ok"

    async def rows(statement):
        raise DatabaseUnavailable

    monkeypatch.setattr(queue_metrics, "FREE_SECONDS", 0.01)
    monkeypatch.setattr(queue_metrics, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(queue_metrics, "REST_FACTOR", 0)
    store = Hanging()
    shown = QueueMetrics(SimpleNamespace(rows=rows), SimpleNamespace(broker=ok), SimpleNamespace(models=()), store)
    try:
        for _ in range(2):
            text, _ = await shown.exposition("")
            assert b"atelier_store_free_bytes NaN" in text
        assert 1 == store.asked
    finally:
        store.is_back.set()
    monkeypatch.setattr(queue_metrics, "FREE_SECONDS", 10.0)
    text, _ = await shown.exposition("")
    assert b"atelier_store_free_bytes 4096.0" in text
