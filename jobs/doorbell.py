"""The doorbell: a Celery message that only says "there may be work". A lost one costs at most a poll interval.

The message is written here as Celery and kombu write it, and pushed onto the queue's list by the same pipeline that
publishes the job's event. kombu's producer would take several round trips and a thread for it.
"""

import base64
import logging
import os
import socket
import uuid
from functools import lru_cache
from typing import Any

import msgspec
import redis
import redis.asyncio.client
import redis.client
from celery import Celery
from kombu.entity import Exchange, Queue
from opentelemetry.trace import SpanKind

from core.broker.clients import broker_client, celery_options
from core.circuit_breaker import CircuitBreaker
from core.settings import Settings
from core.tracing import span
from jobs.job import Job

log = logging.getLogger(__name__)

BELL = "atelier.bell"
_TASK_ID, _DELIVERY_TAG = b"<id of the task>", b"<tag of the delivery>"

AnyPipeline = redis.client.Pipeline | redis.asyncio.client.Pipeline
"""Commands of one round trip, of a thread or of an event loop."""

_BODY = base64.b64encode(
    msgspec.json.encode([[], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}])
).decode()
"""No arguments and nothing that follows the task, in the base64 that kombu's Redis transport has for bodies."""


def model_queue(model: str) -> str:
    """Return the queue of the workers that serve a model."""
    return f"model.{model}"


def server_queue(server_id: str) -> str:
    """Return the queue of one named server."""
    return f"server.{server_id}"


def queue_of(job: Job) -> str:
    """Return the queue of the workers that may run a job."""
    return server_queue(job.server_id) if job.server_id else model_queue(job.model)


def bell_queue(name: str) -> Queue:
    """Return a queue of the default exchange, which needs no binding that FLUSHALL would remove.

    Its messages are not acknowledged: that would cost round trips, for a bell that may be lost.
    """
    return Queue(name, Exchange(""), routing_key=name, no_ack=True)  # type: ignore[no-untyped-call]


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


def bell_message(queue: str) -> bytes:
    """Return one message to `queue`, in version 2 of Celery's protocol and the envelope of kombu's virtual transports.

    It says nothing of the job. Both ids are its own: Celery knows a task by the one, and kombu keeps a message that is
    not acknowledged yet under the other.
    """
    own = str(uuid.uuid4()).encode(), str(uuid.uuid4()).encode()
    return _envelope(queue, os.getpid()).replace(_TASK_ID, own[0]).replace(_DELIVERY_TAG, own[1])


@lru_cache(1024)
def _envelope(queue: str, pid: int) -> bytes:
    """Return the message of this process to `queue`, with the places of its ids."""
    task_id = _TASK_ID.decode()
    headers: dict[str, Any] = {
        "lang": "py",
        "task": BELL,
        "id": task_id,
        "shadow": None,
        "eta": None,
        "expires": None,
        "group": None,
        "group_index": None,
        "retries": 0,
        "timelimit": [None, None],
        "root_id": task_id,
        "parent_id": None,
        "argsrepr": "()",
        "kwargsrepr": "{}",
        "origin": f"gen{pid}@{socket.gethostname()}",
        "ignore_result": True,
        "replaced_task_nesting": 0,
        "stamped_headers": None,
        "stamps": {},
    }
    properties = {
        "correlation_id": task_id,
        "reply_to": "",
        "delivery_mode": 1,
        "delivery_info": {"exchange": "", "routing_key": queue},
        "priority": 0,
        "body_encoding": "base64",
        "delivery_tag": _DELIVERY_TAG.decode(),
    }
    envelope = {
        "body": _BODY,
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": headers,
        "properties": properties,
    }
    return msgspec.json.encode(envelope)


def add_bells(pipe: AnyPipeline, queue: str, count: int, limit: int) -> None:
    """Add the commands that ring `count` times, and leave at most `limit` bells in the queue.

    kombu takes messages from the list's end, and the list of priority 0 has the queue's name. The trim drops the oldest
    bells; one is as good as another.
    """
    pipe.lpush(queue, *(bell_message(queue) for _ in range(min(count, limit))))
    pipe.ltrim(queue, 0, limit - 1)


class Doorbell:
    """The bell that a worker rings after a commit; it never raises. Threads may share it.

    A broker that is away costs one timeout per breaker period. The API rings from its event loop instead, with
    `add_bells`.
    """

    def __init__(self, settings: Settings) -> None:
        self._client = broker_client(settings)
        self._limit = settings.bell_limit
        self._breaker = CircuitBreaker(settings.breaker_seconds)

    def ring(self, job: Job) -> None:
        """Wake the workers that may run this job."""
        queue = queue_of(job)
        if self._breaker.open:
            return
        facts = {"job_id": job.id, "queue": queue}
        try:
            with (
                span("ring", parent=job.traceparent, kind=SpanKind.PRODUCER, facts=facts),
                self._client.pipeline(transaction=False) as pipe,
            ):
                add_bells(pipe, queue, 1, self._limit)
                pipe.execute()
        except (redis.RedisError, OSError) as error:
            self._breaker.fail()
            log.warning("doorbell: not rung error=%r", str(error))
