"""The beat of a worker: which leases it renews, what it writes, and which claims it finds gone."""

import pytest

from jobs.job import JobStatus
from jobs.schema.tables import jobs, servers
from jobs.statements.queue import claimed as run
from jobs.statements.queue import tenant_jobs
from jobs.statements.queue.beat import HeldClaim


@pytest.fixture
def claimant(rows):
    return rows.server()


@pytest.fixture
def claim(rows, claimant):
    """Claims another job."""

    def claim_one():
        rows.submit(rows.tenant())
        return rows.claim(claimant, lease_seconds=1.0)

    return claim_one


@pytest.fixture
def beat(rows, claimant):
    """A beat of the claimant."""
    return lambda *holding, **leases: rows.beat(claimant.server_id, claimant.incarnation, holding, **leases)


def holding(job, **report):
    return HeldClaim(ticket=f"{job.id}-{job.fence}", job_id=job.id, fence=job.fence, **report)


def test_one_statement_keeps_the_name_and_every_claim(rows, claim, beat):
    claims = [claim() for _ in range(3)]
    answer = beat(*map(holding, claims), server_lease_seconds=99.0, lease_seconds=50.0)
    assert ("active", {holding(job).ticket: job.event_seq for job in claims}, []) == (
        answer.desired,
        answer.kept,
        answer.gone,
    )
    (server,) = rows.execute(servers.select())
    assert 99 == pytest.approx((server.lease_until - answer.now).total_seconds(), abs=1)
    for job in claims:
        assert 50 == pytest.approx((rows.job(job).lease_until - answer.now).total_seconds(), abs=1)


def test_a_beat_without_claims_keeps_the_name(beat):
    assert ({}, []) == tuple(getattr(beat(), name) for name in ("kept", "gone"))


def test_progress_is_written_and_is_news_once(rows, claim, beat):
    job = claim()
    report = {"fraction": 0.5, "stage": "step", "warnings": ("resized",)}
    for _ in range(2):
        assert {holding(job).ticket: job.event_seq + 1} == beat(holding(job, **report)).kept
        shown = rows.job(job)
        assert (0.5, "step", ("resized",), job.event_seq + 1) == (
            shown.progress,
            shown.stage,
            shown.warnings,
            shown.event_seq,
        )
    for part, seq in (({"stage": "decode"}, 2), ({"fraction": 0.75}, 3), ({"warnings": ()}, 4)):
        report |= part
        assert {holding(job).ticket: job.event_seq + seq} == beat(holding(job, **report)).kept


def test_a_claim_without_a_report_keeps_its_progress(rows, claim, beat):
    job = claim()
    beat(holding(job, fraction=0.5, stage="step", warnings=("resized",)))
    before = rows.job(job)
    beat(holding(job), lease_seconds=50.0)
    after = rows.job(job)
    assert (0.5, "step", ("resized",), before.event_seq) == (
        after.progress,
        after.stage,
        after.warnings,
        after.event_seq,
    )


@pytest.mark.parametrize("end", ["complete", "cancel", "lose", "release", "erase"])
def test_a_claim_that_is_over_is_gone_and_unchanged(rows, claim, claimant, beat, end):
    job, other = claim(), claim()
    ends = {
        "complete": lambda: rows.complete(job),
        "cancel": lambda: rows.cancel(job),
        "lose": lambda: rows.change(run.lose(job.id, job.fence, backoff=0.0)),
        "release": lambda: rows.change(run.release(job.id, job.fence)),
        "erase": lambda: rows.execute(tenant_jobs.erase(job.id, job.tenant)),
    }
    assert ends[end]()
    before = rows.job(job)
    answer = beat(holding(job, fraction=0.5, stage="step"), holding(other))
    assert ({holding(other).ticket}, [holding(job).ticket]) == (answer.kept.keys(), answer.gone)
    assert before == rows.job(job)


def test_a_claim_of_before_is_gone_and_the_next_one_kept(rows, claim, claimant, beat):
    """Claim, refund, claim: the attempt is the same again, the fence is not."""
    job = claim()
    rows.change(run.release(job.id, job.fence))
    again = rows.claim(claimant)
    answer = beat(holding(job, fraction=0.9, stage="decode"), holding(again, fraction=0.1, stage="step"))
    assert ({holding(again).ticket}, [holding(job).ticket]) == (answer.kept.keys(), answer.gone)
    assert (0.1, "step") == (rows.job(job).progress, rows.job(job).stage)


def test_a_locked_job_holds_nothing_up(rows, claim, beat):
    """Such as one whose cancel is not committed: neither kept nor gone, and found out by the next beat."""
    locked, free = claim(), claim()
    with rows.engine.begin() as other:
        other.execute(jobs.select().where(jobs.c.id == locked.id).with_for_update())
        answer = beat(holding(locked), holding(free))
        assert ({holding(free).ticket}, []) == (answer.kept.keys(), answer.gone)
        other.execute(tenant_jobs.cancel(locked.id, locked.tenant))
    assert [holding(locked).ticket] == beat(holding(locked), holding(free)).gone


def test_a_lost_name_keeps_nothing(rows, claim, claimant):
    job = claim()
    before = rows.job(job)
    assert rows.beat(claimant.server_id, claimant.incarnation - 1, [holding(job, fraction=0.5, stage="step")]) is None
    assert before == rows.job(job)
    assert JobStatus.PROCESSING == before.status
