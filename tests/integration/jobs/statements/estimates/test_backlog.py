"""What waits before a new job: counted in groups, and bounded."""

import pytest
from sqlalchemy import func, text, update

from core.ids import new_id
from jobs.schema.tables import tenants
from jobs.statements.estimates import backlog
from jobs.statements.estimates.backlog import (
    in_order,
    limits_of,
    running_jobs,
    running_of,
    tenant_limits,
    waiting_jobs,
    waiting_of,
)


def counted(rows, servers=("gpu-1",), shared=True, models=("chaos", "other")):
    found = map(waiting_of, rows.execute(waiting_jobs(models, servers, shared=shared)))
    return {(group.model, group.priority, group.tenant): group.jobs for group in found}


def test_waiting_jobs_are_counted_by_model_priority_and_tenant(rows):
    mine, theirs, paused = rows.tenant("mine"), rows.tenant("theirs"), rows.tenant("paused")
    rows.execute(update(tenants).where(tenants.c.id == paused).values(paused_at=func.now()))
    for tenant, more in ((mine, {}), (mine, {}), (theirs, {"priority": 9}), (paused, {}), (mine, {"model": "third"})):
        rows.submit(tenant, **more)
    assert {("chaos", 5, mine): 2, ("chaos", 9, theirs): 1} == counted(rows)


def test_jobs_of_other_servers_do_not_count(rows):
    tenant = rows.tenant()
    rows.submit(tenant)
    rows.submit(tenant, server_id="gpu-1", model="other")
    rows.submit(tenant, server_id="gpu-1", spill_seconds=60.0)
    rows.submit(tenant, server_id="gpu-2")
    both = {("chaos", 5, tenant): 2, ("other", 5, tenant): 1}
    assert both == counted(rows)
    assert {("other", 5, tenant): 1} == counted(rows, shared=False)
    assert both | {("chaos", 5, tenant): 3} == counted(rows, servers=("gpu-1", "gpu-2"))


def test_a_running_job_has_its_progress(rows):
    rows.submit(rows.tenant())
    job = rows.claim(rows.server())
    rows.report(job, 0.25)
    (found,) = map(running_of, rows.execute(running_jobs([job.id, "job_other"])))
    assert (job.id, "chaos", 0.25) == (found.id, found.model, found.progress)
    rows.complete(job)
    assert [] == rows.execute(running_jobs([job.id]))


def test_a_tenant_may_be_paused_or_run_all_that_it_may(rows):
    tenant = rows.tenant()

    def limits():
        found = limits_of(rows.execute(tenant_limits(tenant))[0])
        return found.paused, found.full

    assert (False, False) == limits()
    rows.execute(update(tenants).values(max_running_jobs=1, paused_at=func.now()))
    assert (True, False) == limits()
    rows.execute(update(tenants).values(paused_at=None))
    rows.submit(tenant)
    rows.claim(rows.server())
    assert (False, True) == limits()


@pytest.mark.matrix
@pytest.mark.parametrize("statistics", ["none", "present"])
def test_a_deep_queue_is_not_read(rows, statistics, monkeypatch):
    """Where the jobs lie in the order of their submit, a planner would rather read them all."""
    monkeypatch.setattr(backlog, "POSITION_LIMIT", 100)
    fill = """
    INSERT INTO jobs (id, tenant, modality, model, params, status, max_attempts, priority, deadline_at)
    SELECT :prefix || number, :tenant, 'image', 'chaos', '{}', 'queued', 3, 5, now() + interval '1 hour'
    FROM generate_series(1, 4000) AS number
    """
    tenant = rows.tenant()
    rows.execute(text(fill).bindparams(prefix=new_id("job"), tenant=tenant))
    if statistics == "present":
        rows.execute(text("ANALYZE jobs"))
    with rows.engine.begin() as connection:
        connection.execute(in_order())
        before = read_so_far(connection)
        (found,) = connection.execute(waiting_jobs(["chaos", "other"], ["gpu-1"], shared=True)).all()
        assert 100 == waiting_of(found).jobs
        assert 100 == read_so_far(connection) - before


def read_so_far(connection):
    """Rows of jobs that this transaction has read, by whatever scan."""
    return connection.scalar(
        text("SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_all_tables WHERE relname = 'jobs'")
    )
