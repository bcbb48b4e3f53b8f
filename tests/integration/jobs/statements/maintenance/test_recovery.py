"""Statements of the upkeep: what time and the loss of workers do to jobs."""

import pytest
from sqlalchemy import text, update

from jobs.job import JobStatus
from jobs.schema.tables import servers
from jobs.statements.clauses import ago
from jobs.statements.maintenance import recovery
from jobs.statements.queue import claim, claimed, submit, tenant_jobs


def changed(rows, statement):
    return {row.id for row in rows.execute(statement)}


def test_reaping_takes_only_what_has_no_lease_any_more(rows):
    claimant = rows.server()
    lost, living, queued = (rows.submit(rows.tenant()) for _ in range(3))
    assert lost.id == rows.claim(claimant, lease_seconds=-1.0).id
    assert living.id == rows.claim(claimant).id
    assert {lost.id} == changed(rows, recovery.reap(backoff=30.0))
    again = rows.job(lost)
    assert (JobStatus.QUEUED, 1, 1) == (again.status, again.attempt, again.fence)
    assert 25 < (again.available_at - again.queued_at).total_seconds() <= 31
    assert queued == rows.job(queued)
    assert set() == changed(rows, recovery.reap(backoff=30.0))


def test_a_lost_worker_loses_all_its_jobs_at_once(rows):
    """One was claimed ahead, a moment later than the other: it must not come back behind what is queued by then."""
    claimant, another = rows.server("gpu-1"), rows.server("gpu-2")
    computing, ahead, elsewhere = (rows.submit(rows.tenant()) for _ in range(3))
    assert computing.id == rows.claim(claimant, lease_seconds=-1.0).id
    assert ahead.id == rows.claim(claimant).id
    assert elsewhere.id == rows.claim(another).id
    rows.execute(update(servers).values(lease_until=ago(1)))
    assert {computing.id, ahead.id} == changed(rows, recovery.reap(backoff=0.0))
    assert JobStatus.PROCESSING == rows.job(elsewhere).status


def test_a_living_worker_loses_only_the_job_that_overran(rows):
    claimant = rows.server()
    overran, other = (rows.submit(rows.tenant()) for _ in range(2))
    assert overran.id == rows.claim(claimant, lease_seconds=-1.0).id
    assert other.id == rows.claim(claimant).id
    assert {overran.id} == changed(rows, recovery.reap(backoff=0.0))


def test_a_reaped_job_is_claimed_with_the_next_fence(rows):
    claimant = rows.server()
    rows.submit(rows.tenant())
    rows.claim(claimant, lease_seconds=-1.0)
    rows.execute(recovery.reap(backoff=0.0))
    again = rows.claim(claimant)
    assert (2, 2) == (again.fence, again.attempt)


def test_a_new_incarnation_takes_the_old_ones_jobs_at_once(rows):
    mine, theirs = rows.submit(rows.tenant(), server_id="a"), rows.submit(rows.tenant(), server_id="b")
    old = rows.server("a")
    assert mine.id == rows.claim(old).id
    assert theirs.id == rows.claim(rows.server("b")).id
    assert set() == changed(rows, recovery.reclaim("a", old.incarnation))
    assert {mine.id} == changed(rows, recovery.reclaim("a", old.incarnation + 1))
    assert JobStatus.QUEUED == rows.job(mine).status
    assert JobStatus.PROCESSING == rows.job(theirs).status


def test_a_deadline_ends_what_has_not_ended(rows):
    tenant = rows.tenant()
    late, timely = rows.submit(tenant, deadline_seconds=-1.0), rows.submit(tenant)
    ended = rows.submit(tenant, deadline_seconds=-1.0)
    rows.cancel(ended)
    assert {late.id} == changed(rows, recovery.expire())
    assert (JobStatus.FAILED, "deadline_exceeded") == (rows.job(late).status, rows.job(late).error.code)
    assert timely == rows.job(timely)
    assert JobStatus.CANCELLED == rows.job(ended).status


class TestRefusedByTheStore:
    """A job that misses its deadline since the store refused its objects."""

    @pytest.fixture
    def claim(self, rows):
        """A claimed job whose outputs wait for the store."""
        self.claimant = rows.server()
        rows.submit(rows.tenant())
        claim = rows.claim(self.claimant)
        rows.execute(claimed.note_refusal(claim.id, claim.fence))
        return claim

    def code_after_the_deadline(self, rows, claim):
        rows.set(claim, deadline_at=ago(1))
        assert {claim.id} == changed(rows, recovery.expire())
        return rows.job(claim).error.code

    def test_it_ends_for_the_store_while_it_is_held(self, rows, claim):
        assert "storage_unavailable" == self.code_after_the_deadline(rows, claim)

    def test_it_ends_for_the_store_when_it_was_handed_back(self, rows, claim):
        rows.change(claimed.postpone(claim.id, claim.fence, delay=60.0))
        assert "storage_unavailable" == self.code_after_the_deadline(rows, claim)

    def test_a_later_claim_that_is_late_ends_for_that(self, rows, claim):
        rows.change(claimed.postpone(claim.id, claim.fence, delay=0.0))
        assert claim.id == rows.claim(self.claimant).id
        assert "deadline_exceeded" == self.code_after_the_deadline(rows, claim)


def test_a_lock_has_one_holder_until_its_transaction_ends(rows):
    with rows.engine.begin() as one, rows.engine.begin() as two:
        assert one.scalar(recovery.try_lock("a")) is True
        assert two.scalar(recovery.try_lock("a")) is False
        assert two.scalar(recovery.try_lock("b")) is True
    assert rows.scalar(recovery.try_lock("a")) is True


def test_a_purge_is_due_at_once_and_after_the_delay(rows):
    job, kept = rows.submit(rows.tenant()), rows.submit(rows.tenant())
    rows.execute(tenant_jobs.erase(job.id, job.tenant))
    with rows.engine.begin() as other:
        assert [job.id] == [row.id for row in other.execute(recovery.due_purges())]
        assert [] == rows.execute(recovery.due_purges())
    rows.execute(recovery.postpone_purge(job.id, 600.0))
    assert [] == rows.execute(recovery.due_purges())
    rows.execute(recovery.postpone_purge(job.id, -1.0))
    (row,) = rows.execute(recovery.due_purges())
    assert (job.id, job.tenant) == (row.id, row.tenant)
    rows.execute(recovery.forget_job(kept.id))
    assert kept == rows.job(kept)
    rows.execute(recovery.forget_job(job.id))
    assert [] == rows.execute(recovery.due_purges())


@pytest.mark.long
def test_ended_jobs_cost_the_claim_and_the_upkeep_nothing(rows):
    """Of 20,000 of them next to none is read: the partial indexes serve."""
    rows.execute(
        text(
            "INSERT INTO jobs (id, tenant, modality, model, params, status, max_attempts, priority, deadline_at) "
            "SELECT 'job_' || n, :tenant, 'image', 'chaos', '{}', 'completed', 3, 5, now() "
            "FROM generate_series(1, 20000) n"
        ).bindparams(tenant=rows.tenant())
    )
    with rows.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE jobs"))
    claimant = rows.server()
    read = text("SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'jobs'")
    for statement in (
        recovery.reap(backoff=1.0),
        recovery.reclaim(claimant.server_id, 2),
        recovery.expire(),
        recovery.due_purges(),
        claim.claim(claimant, lease_seconds=30),
        submit.ask(rows.tenant(), 0.0, usual_cap=10_000),
        tenant_jobs.listing(rows.tenant("another"), limit=10),
    ):
        with rows.engine.begin() as connection:
            connection.execute(statement)
            assert connection.scalar(read) < 100, str(statement)
