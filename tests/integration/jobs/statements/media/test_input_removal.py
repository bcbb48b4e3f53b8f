"""Statements that remove inputs: those of cancelled jobs soon, others after their retention."""

import pytest
from sqlalchemy import func, text

from jobs.statements.media import input_removal
from tests.support.rows.plans import rows_read, scans


@pytest.fixture
def tenant(rows):
    return rows.tenant()


@pytest.mark.parametrize(
    ("status", "seconds", "due"),
    [("cancelled", 31, True), ("cancelled", 20, False), ("failed", 31, False), ("completed", 31, False)],
)
def test_inputs_of_a_cancelled_job_go_soon(rows, tenant, status, seconds, due):
    job = rows.pending(tenant, "http://one.example/a.png")
    rows.set(job, status=status, finished_at=func.now() - text(f"interval '{seconds} s'"))
    assert due == ([(job.id, tenant)] == [tuple(row) for row in rows.execute(input_removal.cancelled())])


@pytest.mark.parametrize("status", ["cancelled", "completed"])
def test_of_a_long_backlog_only_the_oldest_are_read(rows, tenant, monkeypatch, status):
    monkeypatch.setattr(input_removal, "OLDEST", 20)
    rows.execute(
        text("""
            INSERT INTO jobs (id, tenant, modality, model, params, status, max_attempts, priority, deadline_at,
                              has_inputs, finished_at)
            SELECT 'job_' || number, :tenant, 'image', 'chaos', '{}', :status, 3, 5, now(), true,
                   now() - make_interval(hours => 2, secs => number)
            FROM generate_series(1, 2000) AS number
        """).bindparams(tenant=tenant, status=status)
    )
    rows.execute(
        text("""
            INSERT INTO inputs (job_id, name, tenant, kind, source_key, status, key)
            SELECT id, 'input_image', tenant, 'image', id || '/raw', 'ready', id || '/clean' FROM jobs
        """)
    )
    statement = input_removal.cancelled() if status == "cancelled" else input_removal.finished(3600.0)
    assert {f"job_{number}" for number in range(1981, 2001)} == {row.id for row in rows.execute(statement)}
    assert 0 < sum(map(rows_read, scans(rows.engine, statement, "jobs"))) <= 20


def test_inputs_of_a_cancelled_job_are_removed_once(rows, tenant):
    job = rows.pending(tenant, "http://one.example/a.png")
    rows.set(job, status="cancelled", finished_at=func.now() - text("interval '1 hour'"))
    rows.execute(input_removal.forget(job.id))
    assert [] == rows.execute(input_removal.cancelled())


def test_inputs_of_an_ended_job_are_kept_for_a_while(rows, tenant):
    done, running = (rows.pending(tenant, f"http://{n}.example/", f"http://{n}.example/b") for n in range(2))
    rows.set(done, status="completed", finished_at=func.now() - text("interval '10 minutes'"))
    assert [] == rows.execute(input_removal.finished(3600.0))
    assert [(done.id, tenant)] == [tuple(row) for row in rows.execute(input_removal.finished(60.0))]
    rows.execute(input_removal.forget(done.id))
    assert [] == rows.inputs(done)
    assert 2 == len(rows.inputs(running))


def test_a_job_without_inputs_is_not_looked_at(rows, tenant):
    """Of thousands that have ended only the few with inputs, and of those the due ones, are read."""
    rows.execute(
        text("""
            INSERT INTO jobs (id, tenant, modality, model, params, status, max_attempts, priority, deadline_at,
                              has_inputs, finished_at)
            SELECT 'job_' || number, :tenant, 'image', 'chaos', '{}', 'completed', 3, 5, now(),
                   number % 10 = 0, now() - make_interval(hours => CASE WHEN number % 500 = 0 THEN 2 ELSE 0 END)
            FROM generate_series(1, 5000) AS number
        """).bindparams(tenant=tenant)
    )
    rows.execute(
        text("""
            INSERT INTO inputs (job_id, name, tenant, kind, source_key, status, key)
            SELECT id, 'input_image', tenant, 'image', id || '/raw', 'ready', id || '/clean'
            FROM jobs WHERE has_inputs
        """)
    )
    rows.execute(text("ANALYZE jobs, inputs"))
    statement = input_removal.finished(3600.0)
    assert 10 == len(rows.execute(statement))
    for scan in scans(rows.engine, statement, "jobs", "inputs"):
        assert "Seq Scan" != scan["Node Type"]
        assert rows_read(scan) <= 10


def test_forgotten_inputs_are_not_looked_for_again(rows, tenant):
    """Nor those of a job that an API of the version before has submitted, of which it is not known."""
    done, before = rows.pending(tenant, "http://1.example/"), rows.submit(tenant)
    for job in (done, before):
        rows.set(job, status="completed", finished_at=func.now() - text("interval '2 hours'"))
    rows.set(before, has_inputs=None)
    assert {done.id, before.id} == {row.id for row in rows.execute(input_removal.finished(3600.0))}
    for job in (done, before):
        rows.execute(input_removal.forget(job.id))
    assert [] == rows.execute(input_removal.finished(3600.0))
