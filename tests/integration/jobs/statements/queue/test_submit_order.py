"""The order of submit: jobs that come back to the queue are claimed in it, however they were lost."""

import pytest
from sqlalchemy import func, text, update

from jobs.schema.tables import jobs, servers
from jobs.statements.clauses import ago
from jobs.statements.maintenance import recovery
from jobs.statements.queue import claimed, position

COUNT = 6


@pytest.fixture(params=[None, "gpu-1"])
def lost(rows, request):
    """Return jobs in the order of submit, of any server or of one, all of them claimed by a worker whose lease is over.

    Their rows lie in the table in the opposite order, as an earlier change may leave them: a statement that changes
    many jobs goes by that.
    """
    tenant, claimant = rows.tenant(), rows.server("gpu-1")
    made = [rows.submit(tenant, server_id=request.param) for _ in range(COUNT)]
    assert [job.id for job in made] == [rows.claim(claimant, lease_seconds=-1.0).id for _ in made]
    for job in reversed(made):
        rows.set(job, stage="step")
    rows.execute(update(servers).values(lease_until=func.now() - text("interval '1 second'")))
    return [rows.job(job) for job in made]


def claimed_again(rows):
    claimant, found = rows.server("gpu-1"), []
    while (job := rows.claim(claimant)) is not None:
        found.append(job.id)
    return found


def test_seq_rises_with_each_submit(lost):
    assert sorted({job.seq for job in lost}) == [job.seq for job in lost]


@pytest.mark.matrix
def test_jobs_of_an_earlier_incarnation_keep_their_order(rows, lost):
    assert COUNT == len(rows.execute(recovery.reclaim("gpu-1", 2)))
    assert [job.id for job in lost] == claimed_again(rows)


@pytest.mark.matrix
def test_jobs_whose_leases_ran_out_keep_their_order(rows, lost):
    assert COUNT == len(rows.execute(recovery.reap(backoff=30.0)))
    assert 1 == len({rows.job(job).available_at for job in lost})
    rows.execute(update(jobs).values(available_at=ago(1)))
    assert list(range(COUNT)) == [rows.scalar(position.queue_position(rows.job(job))) for job in lost]
    assert [job.id for job in lost] == claimed_again(rows)


@pytest.mark.matrix
def test_jobs_that_are_released_one_by_one_keep_their_order(rows, lost):
    for job in reversed(lost):
        assert rows.change(claimed.release(job.id, job.fence)) is not None
    assert [job.id for job in lost] == claimed_again(rows)
