"""The doorbell: a Celery message that only says "there may be work". A lost one costs at most a poll interval."""

import logging
from typing import Any

import redis
from celery import Celery
from kombu.entity import Exchange, Queue
from kombu.exceptions import KombuError
from opentelemetry.trace import SpanKind

from core.broker.clients import broker_client, celery_options
from core.circuit_breaker import CircuitBreaker
from core.settings import Settings
from core.tracing import span
from jobs.job import Job

log = logging.getLogger(__name__)

BELL = "atelier.bell"


def model_queue(model: str) -> str:
    """Return the queue of the workers that serve a model."""
    return f"model.{model}"


def server_queue(server_id: str) -> str:
    """Return the queue of one named server."""
    return f"server.{server_id}"


def bell_queue(name: str) -> Queue:
    """Return a queue of the default exchange; it needs no binding, which FLUSHALL would remove."""
    return Queue(name, Exchange(""), routing_key=name)  # type: ignore[no-untyped-call]


def celery_app(settings: Settings, **transport: Any) -> Celery:
    """Return the Celery application: JSON only, no results, no retries, no late acknowledgment.

    `transport` replaces the options of the connection, which by default suit a sender: it never waits long. Raises
    `ValueError` for a broker URL that cannot be used.
    """
    app = Celery("atelier", set_as_current=False)
    app.conf.update(
        **celery_options(settings, **(transport or _sender_options(settings))),
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        task_acks_late=False,
        task_publish_retry=False,
        task_default_delivery_mode="transient",
    )
    return app


def _sender_options(settings: Settings) -> dict[str, Any]:
    return {
        "socket_timeout": settings.broker_timeout,
        "socket_connect_timeout": settings.broker_timeout,
        "retry_on_timeout": False,
        "max_retries": 0,  # kombu waits 2, 4, ... s between its own attempts to connect
    }


class Doorbell:
    """The bell that is rung after a commit; it never raises.

    A broker that is away costs one timeout per breaker period. Call it off the event loop and from one thread at a
    time.
    """

    def __init__(self, settings: Settings) -> None:
        self._app = celery_app(settings)
        self._client = broker_client(settings)
        self._limit = settings.bell_limit
        self._breaker = CircuitBreaker(settings.breaker_seconds)
        self._full: set[str] = set()

    def ring(self, job: Job) -> None:
        """Wake the workers that may run this job."""
        queue = server_queue(job.server_id) if job.server_id else model_queue(job.model)
        if self._breaker.open:
            return
        try:
            if queue in self._full and self._is_full(queue):
                return
            with span("ring", parent=job.traceparent, kind=SpanKind.PRODUCER, facts={"job_id": job.id, "queue": queue}):
                self._app.send_task(BELL, queue=bell_queue(queue), ignore_result=True, retry=False)
            if self._is_full(queue):  # asked after this bell, for the next one, so that this one arrives sooner
                self._full.add(queue)
            else:
                self._full.discard(queue)
        except (redis.RedisError, KombuError, OSError) as error:
            self._breaker.fail()
            log.warning("doorbell: not rung error=%r", str(error))

    def _is_full(self, queue: str) -> bool:
        return int(self._client.llen(queue)) >= self._limit
