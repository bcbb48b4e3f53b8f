"""When a worker may claim a further job."""

import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipelines.catalog.loader import load_catalog
from tests.support.paths import CATALOG
from workers.gpu.job.claimed_job import ClaimedJob
from workers.gpu.slots import FINISHING, UPLOADING, JobSlots

CHAOS = load_catalog(CATALOG).get("chaos")


def claimed(room: JobSlots, number: int) -> ClaimedJob:
    held = ClaimedJob(SimpleNamespace(id=f"job_{number}", fence=1), CHAOS, Path("/nowhere"))  # type: ignore[arg-type]
    room.add(held)
    return held


def near_its_end(held: ClaimedJob, monkeypatch: pytest.MonkeyPatch, seconds: float = 0.1) -> None:
    monkeypatch.setattr(type(held), "remaining", property(lambda self: seconds))


def test_a_job_that_has_just_begun_keeps_others_out() -> None:
    room = JobSlots()
    assert room.can_claim
    held = claimed(room, 1)

    assert held is room.computing
    assert not room.can_claim


def test_one_job_is_claimed_ahead_when_the_other_ends_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    room = JobSlots()
    first = claimed(room, 1)
    near_its_end(first, monkeypatch)
    assert room.can_claim
    second = claimed(room, 2)

    assert [second] == room.waiting
    assert not room.can_claim
    room.computed(first)
    assert second is room.computing
    assert [] == room.waiting


def test_none_is_claimed_ahead_while_too_many_are_being_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    room = JobSlots()
    finishing = [claimed(room, number) for number in range(FINISHING)]
    for held in finishing:
        room.computed(held)

    assert not room.can_claim
    room.ended(finishing[0])
    assert room.can_claim
    near_its_end(claimed(room, 9), monkeypatch)
    assert room.can_claim


def test_uploads_that_are_stuck_stop_the_claims() -> None:
    room = JobSlots()
    for number in range(UPLOADING):
        held = claimed(room, number)
        room.computed(held)
        held.enter("upload")

    assert not room.can_claim
    assert not room.wants_doorbell


def test_the_device_is_given_up_once() -> None:
    room = JobSlots()
    held = claimed(room, 1)
    assert room.computed(held)
    assert not room.computed(held)


def test_who_waits_hears_of_a_job_that_ended() -> None:
    room = JobSlots()
    held = claimed(room, 1)
    waiter = threading.Thread(target=room.wait_until_free, args=[lambda: False])
    waiter.start()
    room.computed(held)
    waiter.join(10)
    assert not waiter.is_alive()
    assert not room.wait_until_empty(0.0)
    room.ended(held)
    assert room.wait_until_empty(0.0)


def test_who_waits_gives_up_when_told_to() -> None:
    room, stop = JobSlots(), threading.Event()
    claimed(room, 1)
    waiter = threading.Thread(target=room.wait_until_free, args=[stop.is_set])
    waiter.start()
    stop.set()
    room.notify()
    waiter.join(10)
    assert not waiter.is_alive()
