"""Statements of the worker that holds a claim, and the fence that refuses every other worker."""

import threading
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from core.errors.failures import PipelineFailed
from jobs.job import TERMINAL, JobError, JobStatus
from jobs.schema.tables import jobs
from jobs.statements.clauses import ago
from jobs.statements.queue import claimed as run
from jobs.statements.queue import tenant_jobs
from tests.support.rows.rows import ARTIFACT

BROKEN = JobError("pipeline_failed", "It broke.")

ENGINE_LOST = JobError("engine_lost", "The engine died.")
FENCED = {
    "commit": lambda job: run.commit(job.id, job.fence, artifacts=[ARTIFACT], warnings=[], cost=0.0),
    "fail": lambda job: run.fail(job.id, job.fence, BROKEN),
    "release": lambda job: run.release(job.id, job.fence),
    "postpone": lambda job: run.postpone(job.id, job.fence, delay=0.0),
    "note_refusal": lambda job: run.note_refusal(job.id, job.fence).returning(jobs.c.id),
    "lose": lambda job: run.lose(job.id, job.fence, backoff=0.0, error=ENGINE_LOST),
}
"""Every statement that only the holder of a claim may execute."""


@pytest.fixture
def claimant(rows):
    return rows.server()


@pytest.fixture
def job(rows, claimant):
    rows.submit(rows.tenant(), callback_url="http://example.com/hook")
    return rows.claim(claimant)


def test_the_life_of_a_job(rows):
    tenant, claimant = rows.tenant(), rows.server()
    queued = rows.submit(tenant, price_usd=0.25)
    claimed = rows.claim(claimant)
    shown = rows.report(claimed, 0.5, "step", ["resized"])
    assert (0.5, "step", ("resized",)) == (shown.progress, shown.stage, shown.warnings)
    assert shown.lease_until > claimed.lease_until
    done = rows.change(run.commit(claimed.id, claimed.fence, artifacts=[ARTIFACT], warnings=["resized"], cost=0.25))
    assert (JobStatus.COMPLETED, 1.0, None, (ARTIFACT,), ("resized",), 0.25) == (
        done.status,
        done.progress,
        done.stage,
        done.artifacts,
        done.warnings,
        done.cost,
    )
    assert queued.created_at <= claimed.started_at <= done.finished_at
    assert done.lease_until is None
    assert [1, 2, 3, 4] == [queued.event_seq, claimed.event_seq, shown.event_seq, done.event_seq]


def test_a_failure_tells_why(rows, job):
    failed = rows.change(run.fail(job.id, job.fence, JobError.of(PipelineFailed)))
    assert (JobStatus.FAILED, JobError("pipeline_failed", PipelineFailed.advice)) == (failed.status, failed.error)
    assert failed.finished_at is not None


def test_a_release_refunds_the_attempt_and_keeps_the_fence(rows, job):
    released = rows.change(run.release(job.id, job.fence))
    assert (JobStatus.QUEUED, 0, 1, 0.0, None) == (
        released.status,
        released.attempt,
        released.fence,
        released.progress,
        released.lease_until,
    )
    assert released.available_at == released.created_at


def test_a_postponed_job_waits_longer_each_time(rows, claimant, job):
    """Up to ten minutes; its attempts are refunded as those of any release."""
    waited = []
    for _ in range(6):
        released = rows.change(run.postpone(job.id, job.fence, delay=60.0))
        assert (JobStatus.QUEUED, 0, 0.0, None) == (
            released.status,
            released.attempt,
            released.progress,
            released.lease_until,
        )
        waited.append((released.available_at - released.queued_at).total_seconds())
        rows.set(job, available_at=ago(1))
        job = rows.claim(claimant)
    for least, seconds in zip([55, 115, 235, 475, 595, 595], waited, strict=True):
        assert least < seconds <= least + 6
    rows.set(job, postponed=10**6)
    released = rows.change(run.postpone(job.id, job.fence, delay=60.0))
    assert 595 < (released.available_at - released.queued_at).total_seconds() <= 601


def test_lost_attempts_count_and_the_last_one_fails_the_job(rows, claimant, job):
    for attempt in (1, 2):
        lost = rows.change(FENCED["lose"](job))
        assert (JobStatus.QUEUED, attempt, None) == (lost.status, lost.attempt, lost.error)
        job = rows.claim(claimant)
    failed = rows.change(FENCED["lose"](job))
    assert (JobStatus.FAILED, ENGINE_LOST, 3) == (failed.status, failed.error, failed.attempt)
    assert rows.claim(claimant) is None


def test_refunds_are_not_counted_however_often(rows, claimant, job):
    for _ in range(10):
        rows.change(run.release(job.id, job.fence))
        job = rows.claim(claimant)
    assert (1, 11) == (job.attempt, job.fence)


@pytest.mark.parametrize("name", FENCED)
class TestStaleFence:
    """A holder whose claim is over changes nothing, whatever ended it."""

    def refused(self, rows, name, stale):
        before = rows.job(stale)
        assert [] == rows.execute(FENCED[name](stale))
        assert before == rows.job(stale)

    def test_after_the_lease_ran_out_and_another_claim(self, rows, claimant, job, name):
        rows.change(run.lose(job.id, job.fence, backoff=0.0))
        self.refused(rows, name, job)
        again = rows.claim(claimant)
        assert job.id == again.id
        self.refused(rows, name, job)
        assert rows.execute(FENCED[name](again))

    def test_after_a_refund_and_another_claim(self, rows, claimant, job, name):
        """Claim, refund, claim: the attempt is the same again, the fence is not."""
        rows.change(run.release(job.id, job.fence))
        again = rows.claim(claimant)
        assert (job.id, job.attempt) == (again.id, again.attempt)
        self.refused(rows, name, job)
        assert rows.execute(FENCED[name](again))

    @pytest.mark.parametrize("end", ["complete", "cancel"])
    def test_after_the_end(self, rows, job, name, end):
        assert getattr(rows, end)(job) is not None
        self.refused(rows, name, job)

    def test_after_the_deletion(self, rows, job, name):
        rows.execute(tenant_jobs.erase(job.id, job.tenant))
        self.refused(rows, name, job)

    def test_of_another_job(self, rows, job, name):
        other = rows.submit(rows.tenant())
        before = rows.job(other)
        rows.execute(FENCED[name](job))
        assert before == rows.job(other)


def test_cancel_racing_commit_has_one_winner_each_time(rows, full: bool):
    """500 times at full size: one terminal state, one webhook, and the loser gets no row."""
    tenant, claimant = rows.tenant(), rows.server()
    gate = threading.Barrier(2)

    def at_once(act, job):
        gate.wait()
        return act(job)

    winners = []
    with ThreadPoolExecutor(2) as pool:
        for number in range(500 if full else 24):
            rows.submit(tenant, callback_url="http://example.com/hook")
            job = rows.claim(claimant)
            acts = (rows.cancel, rows.complete) if number % 2 else (rows.complete, rows.cancel)
            outcomes = list(pool.map(at_once, acts, (job, job)))
            (winner,) = [outcome for outcome in outcomes if outcome is not None]
            assert msgspec.structs.replace(winner, announced=False) == rows.job(job)
            assert winner.status in TERMINAL
            winners.append((job.id, f"job.{winner.status}"))
    assert winners == [(delivery.job_id, delivery.type) for delivery in rows.deliveries()]


def test_only_an_ended_job_with_a_callback_has_a_delivery(rows, job):
    rows.submit(rows.tenant())
    rows.cancel(rows.submit(rows.tenant()))
    assert [] == rows.deliveries()
    done = rows.complete(job)
    (delivery,) = rows.deliveries()
    assert ("job.completed", "http://example.com/hook", done.event_seq, 0) == (
        delivery.type,
        delivery.url,
        delivery.event_seq,
        delivery.attempt,
    )
    assert delivery.id.startswith("msg_")
