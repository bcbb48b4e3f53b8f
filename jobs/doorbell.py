"""The doorbell: a Celery message that says only "there may be work". Losing one costs at most a poll interval."""

import logging

import redis
from celery import Celery
from kombu.entity import Exchange, Queue
from kombu.exceptions import KombuError
from opentelemetry.trace import SpanKind

from core.circuit_breaker import CircuitBreaker
from core.settings import Settings
from core.tracing import OFF, Tracer, span
from jobs.events import broker_client
from jobs.job import Job

log = logging.getLogger(__name__)

BELL = "atelier.bell"


def model_queue(model: str) -> str:
    """The queue that workers which serve a model listen to."""
    return f"model.{model}"


def server_queue(server_id: str) -> str:
    """The queue of one named server."""
    return f"server.{server_id}"


def bell_queue(name: str) -> Queue:
    """A queue of the default exchange, which routes by queue name: it needs no binding that FLUSHALL could remove."""
    return Queue(name, Exchange(""), routing_key=name)  # type: ignore[no-untyped-call]


def celery_app(settings: Settings) -> Celery:
    """The Celery application: JSON only, no results, no retries, no late acknowledgment."""
    app = Celery("atelier", broker=settings.broker_url, set_as_current=False)
    app.conf.update(
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        task_acks_late=False,
        task_publish_retry=False,
        task_default_delivery_mode="transient",
        broker_transport_options={
            "socket_timeout": settings.broker_timeout,
            "socket_connect_timeout": settings.broker_timeout,
            "retry_on_timeout": False,
            "max_retries": 0,  # kombu waits 2, 4, ... s between its own attempts to connect
        },
    )
    return app


class Doorbell:
    """Rings after a commit. Never raises; a broker that is away costs one timeout per breaker period.

    Call it off the event loop and from one thread at a time.
    """

    def __init__(self, settings: Settings, tracer: Tracer = OFF) -> None:
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
            if self._is_full(queue):  # asked after the bell, for the next one: the worker hears this one sooner
                self._full.add(queue)
            else:
                self._full.discard(queue)
        except (redis.RedisError, KombuError, OSError) as error:
            self._breaker.fail()
            log.warning("doorbell not rung: %s", error)

    def _is_full(self, queue: str) -> bool:
        return int(self._client.llen(queue)) >= self._limit
