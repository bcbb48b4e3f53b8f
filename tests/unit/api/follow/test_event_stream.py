"""The wire format of server-sent events, and snapshots without news."""

import time
from types import SimpleNamespace

import msgspec
import pytest

from api.follow.event_stream import RETRY, EventStream, frame, opened, read_event_id
from api.follow.stream_limit import StreamLimit
from api.follow.subscription import Subscription
from core.errors.access import Unauthenticated
from core.errors.limits import TooManyStreams
from core.errors.unknown import UnknownJob
from jobs.events import EventNumber, JobEvent
from jobs.job import JobStatus
from jobs.statements.queue.look import JobView


class Data(msgspec.Struct):
    text: str


def test_an_event_is_three_lines_and_a_blank_one():
    assert b'id: 7.2\nevent: progress\ndata: {"text":"a\\nb"}\n\n' == frame(EventNumber(7, 2), "progress", Data("a\nb"))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("7.2", (7, 2)),
        ("7", (7, 0)),
        *((nonsense, (0, 0)) for nonsense in (None, "", "x", "-1", "7.", ".2", "7.2.1", "7 .2", "9" * 19, "\u0663")),
    ],
)
def test_an_event_id_is_two_numbers_or_the_first(text, number):
    assert number == read_event_id(text)


class Answer(msgspec.Struct):
    seq: int
    queue_position: int | None = None


class Script:
    """A watcher whose rows are given; `event_hub` never closes."""

    def __init__(self, *rows):
        self.rows = list(rows)
        self.subscription = Subscription()
        self.event_hub = SimpleNamespace(closing=SimpleNamespace(is_set=lambda: False), subscribe=self.subscribe)

    def subscribe(self, job_id):
        return self

    def __enter__(self):
        return self.subscription

    def __exit__(self, *_):
        pass

    def next_tick(self):
        return time.monotonic() + 0.01

    async def refresh(self, view, key_id):
        row = self.rows.pop(0) if len(self.rows) > 1 else self.rows[0]
        if isinstance(row, Exception):
            raise row
        return JobView(row)

    def answer(self, view):
        return Answer(view.job.event_seq, view.job.place)


def row(seq, status=JobStatus.PROCESSING, place=None, fraction=0.5, attempt=1):
    facts = {"status": status, "place": place, "progress": fraction, "stage": "step", "attempt": attempt}
    return SimpleNamespace(id="job_1", tenant="ten_1", event_seq=seq, **facts)


def progress(seq, n=0, fraction=0.5, attempt=1):
    facts = {"status": JobStatus.PROCESSING, "progress": fraction, "stage": "step", "attempt": attempt}
    return JobEvent(job_id="job_1", seq=seq, n=n, **facts)


def stream(script, seen=(0,), limit=None):
    return EventStream(script, limit or StreamLimit(1), JobView(script.rows[0]), "key_1", EventNumber(*seen))


async def received(script, seen=(0,)):
    """Return `(id, name)` of every event that a client receives."""
    parts = [part async for part in stream(script, seen).frames()]
    assert RETRY == parts[0]
    return [tuple(line.split(": ", 1)[1] for line in part.decode().split("\n")[:2]) for part in parts[1:]]


async def test_an_unchanged_row_is_sent_once():
    script = Script(row(3), row(3), row(3), row(4, JobStatus.COMPLETED))
    assert [("3.0", "progress"), ("4.0", "completed")] == await received(script)


async def test_a_row_up_to_the_last_event_id_is_not_sent_again():
    assert [("4.0", "failed")] == await received(Script(row(3), row(3), row(4, JobStatus.FAILED)), seen=(3, 0))


async def test_a_last_event_id_of_the_future_loses_no_event():
    script = Script(row(3), row(3), row(4), row(5, JobStatus.COMPLETED))
    assert [("4.0", "progress"), ("5.0", "completed")] == await received(script, seen=(999, 0))


async def test_events_older_than_the_snapshot_are_left_out():
    script = Script(row(5), row(5), row(9, JobStatus.COMPLETED))
    for seq in (3, 4, 5, 6, 6, 7):
        script.subscription.add(progress(seq))
    assert [("5.0", "progress"), ("6.0", "progress"), ("7.0", "progress"), ("9.0", "completed")] == await received(
        script
    )


async def test_progress_ahead_of_the_row_is_numbered_after_it():
    """A worker publishes each report, and its next beat writes the last of them."""
    script = Script(row(5), row(5), row(6), row(7, JobStatus.COMPLETED))
    for n in (1, 2, 2, 4, 3):
        script.subscription.add(progress(5, n))
    between = [("5.1", "progress"), ("5.2", "progress"), ("5.4", "progress")]
    assert [("5.0", "progress"), *between, ("6.0", "progress"), ("7.0", "completed")] == await received(script)


@pytest.mark.parametrize(("fraction", "attempt", "is_sent"), [(0.4, 1, False), (0.7, 1, True), (0.1, 2, True)])
async def test_progress_never_falls_within_an_attempt(fraction, attempt, is_sent):
    """A report may be published while the beat writes the one before it, under the number of the next row."""
    script = Script(row(5), row(5), row(6, fraction=fraction, attempt=attempt), row(7, JobStatus.COMPLETED))
    script.subscription.add(progress(5, 1, 0.6))
    between = [("6.0", "progress")] if is_sent else []
    assert [("5.0", "progress"), ("5.1", "progress"), *between, ("7.0", "completed")] == await received(script)


async def test_a_resumed_stream_repeats_no_report():
    script = Script(row(5), row(5), row(6, JobStatus.COMPLETED))
    for n in (1, 2, 3):
        script.subscription.add(progress(5, n))
    assert [("5.3", "progress"), ("6.0", "completed")] == await received(script, seen=(5, 2))


@pytest.mark.parametrize(("seen", "first"), [((0, 0), 0), ((1, 0), 1), ((1, 4), 5)])
async def test_a_new_position_is_numbered_after_the_row(seen, first):
    queued = JobStatus.QUEUED
    script = Script(row(1, queued, 3), row(1, queued, 3), row(1, queued, 2), row(2, JobStatus.CANCELLED))
    moves = [(f"1.{first}", "progress"), (f"1.{first + 1}", "progress")]
    assert [*moves, ("2.0", "cancelled")] == await received(script, seen)


async def test_a_row_that_is_gone_ends_as_cancelled():
    assert [("3.0", "progress"), ("4.0", "cancelled")] == await received(Script(row(3), row(3), UnknownJob()))


async def test_the_end_of_a_row_that_is_gone_is_the_last_number():
    script = Script(row(3), row(3), UnknownJob())
    script.subscription.add(progress(4))
    assert [("3.0", "progress"), ("4.0", "progress"), ("5.0", "cancelled")] == await received(script)


async def test_a_revoked_key_ends_the_stream_without_an_event():
    assert [("3.0", "progress")] == await received(Script(row(3), row(3), Unauthenticated()))


async def test_a_stream_beyond_the_limit_is_refused_before_it_opens():
    script, limit = Script(row(3)), StreamLimit(1)
    first = await opened(stream(script, limit=limit).frames())
    assert RETRY == await anext(first)
    with pytest.raises(TooManyStreams):
        await opened(stream(script, limit=limit).frames())
    await first.aclose()
    assert RETRY == await anext(await opened(stream(script, limit=limit).frames()))


@pytest.mark.parametrize("status", [JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED])
async def test_a_job_that_has_ended_is_one_event(status):
    assert [("9.0", status.value)] == await received(Script(row(9, status)), seen=(3, 0))
