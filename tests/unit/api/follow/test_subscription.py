"""One subscriber's queue of events."""

from api.follow.subscription import CAPACITY, Subscription
from jobs.events import JobEvent
from jobs.job import JobStatus
from jobs.step_previews import StepPreview


def event(seq: int) -> JobEvent:
    return JobEvent(job_id="job_1", seq=seq, status=JobStatus.PROCESSING, progress=0.5, stage="step")


async def test_events_come_in_order():
    subscription = Subscription()
    for seq in (1, 2, 3):
        subscription.add(event(seq))
    assert [1, 2, 3] == [(await subscription.next(1.0)).seq for _ in range(3)]


async def test_there_is_nothing_after_the_time():
    assert await Subscription().next(0.0) is None


async def test_a_wake_up_returns_no_event_and_happens_once():
    subscription = Subscription()
    subscription.add(None)
    assert await subscription.next(60.0) is None
    subscription.add(event(1))
    assert 1 == (await subscription.next(60.0)).seq
    assert await subscription.next(0.0) is None


async def test_a_slow_reader_loses_the_oldest():
    subscription = Subscription()
    for seq in range(CAPACITY + 10):
        subscription.add(event(seq))
    assert 10 == (await subscription.next(0.0)).seq


async def test_only_the_last_preview_waits_for_a_slow_reader():
    subscription = Subscription()
    for step in (1, 2):
        subscription.show(StepPreview(step=step, of=4, image=""))
    assert await subscription.next(60.0) is None
    assert [2, None] == [shown and shown.step for shown in (subscription.take_preview(), subscription.take_preview())]
