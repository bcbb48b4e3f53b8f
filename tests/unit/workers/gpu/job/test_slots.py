"""When a worker may claim a further job, and which job has the device."""

import threading
from pathlib import Path

import pytest

from tests.support.gpu_worker.fakes import CHAOS, WAIT_SECONDS, join_all, make_job, spawn_thread
from workers.gpu.job.cancellation import JobUnwanted
from workers.gpu.job.claimed_job import ClaimedJob
from workers.gpu.job.slots import FINISHING, UPLOADING, JobSlots


def claim(slots: JobSlots, number: int) -> ClaimedJob:
    claimed = ClaimedJob.begin(make_job(number), CHAOS, Path("/nowhere"))
    slots.add(claimed)
    return claimed


def leave_device(slots: JobSlots, claimed: ClaimedJob) -> None:
    with slots.device(claimed):
        pass


def near_its_end(claimed: ClaimedJob, monkeypatch: pytest.MonkeyPatch, seconds: float = 0.1) -> None:
    monkeypatch.setattr(type(claimed.activity), "remaining_seconds", property(lambda self: seconds))


def waiting(slots: JobSlots) -> threading.Event:
    """Return an event that is set once a waiter of `slots` is about to sleep."""
    asleep = threading.Event()
    wait = slots._changed.wait

    def noted(timeout: float | None = None) -> bool:
        asleep.set()
        return wait(WAIT_SECONDS if timeout is None else timeout)

    slots._changed.wait = noted  # type: ignore[method-assign]
    return asleep


def test_a_job_that_has_just_begun_keeps_others_out() -> None:
    slots = JobSlots()
    assert slots.can_claim
    claimed = claim(slots, 1)

    assert claimed is slots.computing
    assert not slots.can_claim


def test_one_job_is_claimed_ahead_when_the_other_ends_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    slots = JobSlots()
    first = claim(slots, 1)
    near_its_end(first, monkeypatch)
    assert slots.can_claim
    second = claim(slots, 2)

    assert [second] == slots.waiting
    assert not slots.can_claim
    leave_device(slots, first)
    assert second is slots.computing
    assert [] == slots.waiting


def test_no_job_is_claimed_while_too_many_finish(monkeypatch: pytest.MonkeyPatch) -> None:
    slots = JobSlots()
    finishing = [claim(slots, number) for number in range(FINISHING)]
    for claimed in finishing:
        leave_device(slots, claimed)

    assert not slots.can_claim
    slots.remove(finishing[0])
    assert slots.can_claim
    near_its_end(claim(slots, 9), monkeypatch)
    assert slots.can_claim


def test_uploads_that_are_stuck_stop_the_claims() -> None:
    slots = JobSlots()
    for number in range(UPLOADING):
        claimed = claim(slots, number)
        leave_device(slots, claimed)
        claimed.activity.enter("upload")

    assert not slots.can_claim
    assert not slots.wants_doorbell


def test_the_device_is_free_once_per_job() -> None:
    freed: list[str] = []
    slots = JobSlots(lambda: freed.append("free"))
    claimed = claim(slots, 1)
    leave_device(slots, claimed)
    assert ["free"] == freed
    slots.remove(claimed)
    assert ["free"] == freed


def test_a_job_that_never_computed_leaves_the_device() -> None:
    freed: list[str] = []
    slots = JobSlots(lambda: freed.append("free"))
    slots.remove(claim(slots, 1))
    assert ["free"] == freed
    assert slots.computing is None


def test_a_job_waits_until_the_one_before_it_left_the_device() -> None:
    slots, inside = JobSlots(), threading.Event()
    first, second = claim(slots, 1), claim(slots, 2)
    asleep = waiting(slots)

    def compute() -> None:
        with slots.device(second):
            inside.set()

    thread = spawn_thread(compute)
    assert asleep.wait(WAIT_SECONDS)
    assert not inside.is_set()
    leave_device(slots, first)
    assert inside.wait(WAIT_SECONDS / 2)
    join_all([thread])


def test_a_waiting_job_learns_that_it_is_unwanted() -> None:
    slots, unwanted = JobSlots(), threading.Event()
    claim(slots, 1)
    second = claim(slots, 2)
    asleep = waiting(slots)

    def compute() -> None:
        with pytest.raises(JobUnwanted), slots.device(second):
            pass
        unwanted.set()

    spawn_thread(compute)
    assert asleep.wait(WAIT_SECONDS)
    second.cancellation.preempt()
    slots.notify()
    assert unwanted.wait(WAIT_SECONDS / 2)


def test_a_claimer_wakes_when_the_device_is_free() -> None:
    slots = JobSlots()
    claimed, asleep = claim(slots, 1), waiting(slots)
    woken = threading.Event()
    spawn_thread(lambda: (slots.wait_until_free(lambda: False), woken.set()))
    assert asleep.wait(WAIT_SECONDS)
    leave_device(slots, claimed)
    assert woken.wait(WAIT_SECONDS / 2)


def test_a_claimer_wakes_when_a_job_that_finished_has_ended() -> None:
    slots = JobSlots()
    finishing = [claim(slots, number) for number in range(FINISHING)]
    for claimed in finishing:
        leave_device(slots, claimed)
    asleep, woken = waiting(slots), threading.Event()
    spawn_thread(lambda: (slots.wait_until_free(lambda: False), woken.set()))
    assert asleep.wait(WAIT_SECONDS)
    slots.remove(finishing[0])
    assert woken.wait(WAIT_SECONDS / 2)


def test_a_claimer_wakes_when_its_condition_is_notified() -> None:
    slots, stop, woken = JobSlots(), threading.Event(), threading.Event()
    claim(slots, 1)
    asleep = waiting(slots)
    spawn_thread(lambda: (slots.wait_until_free(stop.is_set), woken.set()))
    assert asleep.wait(WAIT_SECONDS)
    stop.set()
    slots.notify()
    assert woken.wait(WAIT_SECONDS / 2)


def test_a_drain_wakes_when_the_last_job_ends() -> None:
    slots, emptied = JobSlots(), threading.Event()
    claimed = claim(slots, 1)
    leave_device(slots, claimed)
    asleep = waiting(slots)
    drain = spawn_thread(lambda: slots.wait_until_empty(WAIT_SECONDS) and emptied.set())
    assert asleep.wait(WAIT_SECONDS)
    slots.remove(claimed)
    assert emptied.wait(WAIT_SECONDS / 2)
    join_all([drain])


def test_a_drain_gives_up_after_its_time() -> None:
    slots = JobSlots()
    claimed = claim(slots, 1)
    assert not slots.wait_until_empty(0.0)
    slots.remove(claimed)
    assert slots.wait_until_empty(0.0)


def test_a_failing_callback_leaves_device_and_slot_free() -> None:
    def fail() -> None:
        raise RuntimeError("no queue")

    slots = JobSlots(fail)
    claimed = claim(slots, 1)
    leave_device(slots, claimed)
    slots.remove(claimed)
    assert ([], None) == (slots.jobs, slots.computing)


class TestSharedRun:
    """Jobs that share a run count as one."""

    def claim_run(self, slots: JobSlots, *numbers: int) -> list[ClaimedJob]:
        run: list[ClaimedJob] = []
        for number in numbers:
            run.append(ClaimedJob.begin(make_job(number), CHAOS, Path("/nowhere"), beside=run[0] if run else None))
        slots.add(*run)
        return run

    def test_all_its_jobs_have_the_device(self) -> None:
        freed: list[str] = []
        slots = JobSlots(lambda: freed.append("free"))
        first, second = self.claim_run(slots, 1, 2)
        with slots.device(second), slots.device(first):
            assert [] == slots.waiting
            assert not slots.can_claim
        assert ["free"] == freed
        assert slots.computing is None

    def test_the_next_run_waits_for_all_of_them(self, monkeypatch: pytest.MonkeyPatch) -> None:
        slots, inside = JobSlots(), threading.Event()
        first, second = self.claim_run(slots, 1, 2)
        near_its_end(first, monkeypatch)
        assert slots.can_claim
        later = self.claim_run(slots, 3, 4)
        assert later == slots.waiting
        assert not slots.can_claim
        leave_device(slots, first)
        asleep = waiting(slots)

        def compute() -> None:
            with slots.device(later[1]):
                inside.set()

        thread = spawn_thread(compute)
        assert asleep.wait(WAIT_SECONDS)
        assert not inside.is_set()
        leave_device(slots, second)
        assert inside.wait(WAIT_SECONDS / 2)
        join_all([thread])

    def test_it_finishes_as_one(self) -> None:
        slots = JobSlots()
        runs = [self.claim_run(slots, 10 * number, 10 * number + 1) for number in range(1, FINISHING + 1)]
        for claimed in [claimed for run in runs for claimed in run]:
            leave_device(slots, claimed)
        assert not slots.can_claim
        slots.remove(runs[0][0])
        assert not slots.can_claim
        slots.remove(runs[0][1])
        assert slots.can_claim

    def test_its_uploads_are_one(self) -> None:
        slots = JobSlots()
        for claimed in self.claim_run(slots, *range(UPLOADING)):
            leave_device(slots, claimed)
            claimed.activity.enter("upload")
        assert slots.can_claim
