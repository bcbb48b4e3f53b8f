"""Events as a follower finds them in the broker."""

from redis import Redis

from jobs.events import FIELD, STREAM, JobEvent, decode_event


def published(broker: Redis, job_id: str) -> list[JobEvent]:
    """The events of a job in the stream, oldest first."""
    events = [decode_event(fields[FIELD]) for _, fields in broker.xrange(STREAM)]
    return [event for event in events if event.job_id == job_id]
