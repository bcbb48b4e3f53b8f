"""Events of jobs, in one Redis stream for all. An event is a hint only: the row is the truth.

An event is a snapshot of the row with its `event_seq`, or a report of progress that is not in the row yet. The stream
is cut at some thousands of entries: it only has to hold what a process has not read yet.
"""

import logging
from collections.abc import Collection, Iterable
from typing import NamedTuple

import msgspec
import redis
import redis.asyncio.client
import redis.client

from core.broker.clients import broker_client
from core.circuit_breaker import CircuitBreaker
from core.settings import Settings
from jobs.cpu_bell import add_cpu_bells
from jobs.job import Job, JobStatus

log = logging.getLogger(__name__)

STREAM = "atelier:events"
MAXLEN = 4096
FIELD = b"event"


class EventNumber(NamedTuple):
    """The number of an event of a job, written `seq.n`. Later events have higher numbers.

    `seq` is the row's `event_seq`. Progress that the worker's next beat will write has the `seq` of the row before it,
    and an `n` from 1 that counts the reports of this claim. A row has 0.
    """

    seq: int
    n: int = 0

    def __str__(self) -> str:
        return f"{self.seq}.{self.n}"


class JobEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot of a job; `seq` and `n` are its `EventNumber`, `progress` is 0 to 1, `attempt` counts from 1."""

    job_id: str
    seq: int
    n: int = 0
    status: JobStatus
    progress: float
    stage: str | None
    attempt: int = 0

    @property
    def number(self) -> EventNumber:
        """The number of the event."""
        return EventNumber(self.seq, self.n)


def event_of(job: Job) -> JobEvent:
    """Return the event of a job's present state."""
    return JobEvent(
        job_id=job.id,
        seq=job.event_seq,
        status=job.status,
        progress=job.progress,
        stage=job.stage,
        attempt=job.attempt,
    )


def encode_event(event: JobEvent) -> bytes:
    """Return an event as a stream entry holds it."""
    return msgspec.msgpack.encode(event)


def decode_event(data: bytes) -> JobEvent:
    """Return the event of a stream entry."""
    return msgspec.msgpack.decode(data, type=JobEvent)


def add_event(pipe: redis.client.Pipeline | redis.asyncio.client.Pipeline, event: JobEvent) -> None:
    """Add the command that publishes an event."""
    pipe.xadd(STREAM, {FIELD: encode_event(event)}, maxlen=MAXLEN, approximate=True)


class Publisher:
    """The publisher of events; a server that is away costs one timeout per breaker period, and no error."""

    def __init__(self, settings: Settings) -> None:
        self._client = broker_client(settings)
        self._breaker = CircuitBreaker(settings.breaker_seconds)

    def publish(self, jobs: Iterable[Job]) -> None:
        """Publish an event of each job for its followers, and ring for the CPU workers; called after the commit."""
        changed = list(jobs)
        self._send([event_of(job) for job in changed], changed)

    def publish_events(self, events: Collection[JobEvent]) -> None:
        """Publish events as they are."""
        self._send(events, ())

    def _send(self, events: Collection[JobEvent], changed: Collection[Job]) -> None:
        if not events or self._breaker.open:
            return
        try:
            with self._client.pipeline(transaction=False) as pipe:
                for event in events:
                    add_event(pipe, event)
                add_cpu_bells(pipe, changed)
                pipe.execute()
        except (redis.RedisError, OSError) as error:
            self._breaker.fail()
            log.warning("events: not published error=%r", str(error))
