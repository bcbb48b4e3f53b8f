"""Events of jobs, in one Redis stream per job. An event is a hint only: the row is the truth.

An event is a snapshot of the row with its `event_seq`; streams are cut at 256 entries and expire after an hour.
"""

import logging
from collections.abc import Iterable

import msgspec
import redis

from core.broker.clients import broker_client
from core.circuit_breaker import CircuitBreaker
from core.settings import Settings
from jobs.job import Job, JobStatus

log = logging.getLogger(__name__)

MAXLEN = 256
EXPIRE_SECONDS = 3600
FIELD = b"event"


class JobEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot of a job; `seq` rises with every change of the row, `progress` is 0 to 1.

    Progress between two beats of the worker is not in the row yet, and has the `seq` of the row before it.
    """

    job_id: str
    seq: int
    status: JobStatus
    progress: float
    stage: str | None


def event_of(job: Job) -> JobEvent:
    """Return the event of a job's present state."""
    return JobEvent(job_id=job.id, seq=job.event_seq, status=job.status, progress=job.progress, stage=job.stage)


def stream_of(job_id: str) -> str:
    """Return the name of a job's stream."""
    return f"atelier:events:{job_id}"


def encode_event(event: JobEvent) -> bytes:
    """Return an event as a stream entry holds it."""
    return msgspec.msgpack.encode(event)


def decode_event(data: bytes) -> JobEvent:
    """Return the event of a stream entry."""
    return msgspec.msgpack.decode(data, type=JobEvent)


class Publisher:
    """The publisher of events; a server that is away costs one timeout per breaker period, and no error."""

    def __init__(self, settings: Settings) -> None:
        self._client = broker_client(settings)
        self._breaker = CircuitBreaker(settings.breaker_seconds)

    def publish(self, jobs: Iterable[Job]) -> None:
        """Publish an event of each job, for its followers; called after the commit."""
        events = [event_of(job) for job in jobs]
        if not events or self._breaker.open:
            return
        try:
            with self._client.pipeline(transaction=False) as pipe:
                for event in events:
                    stream = stream_of(event.job_id)
                    pipe.xadd(stream, {FIELD: encode_event(event)}, maxlen=MAXLEN, approximate=True)
                    pipe.expire(stream, EXPIRE_SECONDS)
                pipe.execute()
        except (redis.RedisError, OSError) as error:
            self._breaker.fail()
            log.warning("events: not published error=%r", str(error))
