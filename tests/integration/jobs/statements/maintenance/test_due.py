"""Which tasks of the CPU worker the statement names, and what it reads."""

from sqlalchemy import func, text

from jobs.schema.tables import outbox, uploads
from jobs.statements.maintenance.due import TASKS, call_due, due_function
from jobs.statements.queue import tenant_jobs
from tests.support.rows.plans import rows_read, scans_of_function

HOUR = text("interval '1 hour'")
ASKED = {"upload_seconds": 86_400.0, "input_max_attempts": 3}
DUE = call_due(**ASKED)


def found(rows):
    """The tasks that the statement names."""
    (row,) = rows.execute(DUE)
    return {task for task in TASKS if getattr(row, task)}


def next_seconds(rows):
    (row,) = rows.execute(DUE)
    return row.next_seconds


def test_an_idle_service_has_nothing_due(rows):
    rows.pending(rows.tenant(), "http://one.example/a.png")
    rows.execute(text("UPDATE inputs SET available_at = now() + interval '1 minute'"))
    rows.submit(rows.tenant())
    rows.claim(rows.server())
    rows.execute(uploads.insert().values(id="inp", tenant=rows.tenant(), key="t/inputs/inp"))
    assert set() == found(rows)


def test_an_input_that_waits_is_due(rows):
    job = rows.pending(rows.tenant(), "http://one.example/a.png")
    assert {"ingest"} == found(rows)
    rows.cancel(job)
    assert set() == found(rows)


def test_a_delivery_is_due_until_it_is_leased(rows):
    rows.cancel(rows.submit(rows.tenant(), callback_url="http://one.example/"))
    assert {"webhooks"} == found(rows)
    rows.execute(outbox.update().values(lease_until=func.now() + HOUR))
    assert set() == found(rows)
    rows.execute(outbox.update().values(lease_until=None, available_at=func.now() + HOUR))
    assert set() == found(rows)


def test_deleted_jobs_and_old_uploads_are_due(rows):
    tenant = rows.tenant()
    rows.execute(tenant_jobs.erase(rows.submit(tenant).id, tenant))
    assert {"purge"} == found(rows)
    old = func.now() - text("interval '3 days'")
    rows.execute(uploads.insert().values(id="inp", tenant=tenant, key="t/inputs/inp", created_at=old))
    assert {"purge", "uploads"} == found(rows)


def test_a_lost_lease_a_deadline_and_a_lost_input_are_due(rows):
    rows.submit(rows.tenant())
    rows.claim(rows.server(), lease_seconds=-1.0)
    assert {"recovery"} == found(rows)
    rows.execute(text("UPDATE jobs SET lease_until = now() + interval '1 hour'"))
    assert set() == found(rows)
    late = rows.submit(rows.tenant(), deadline_seconds=-1.0)
    assert {"recovery"} == found(rows)
    rows.cancel(late)
    rows.pending(rows.tenant(), "http://one.example/a.png")
    rows.execute(text("UPDATE inputs SET attempt = 3, lease_until = now() - interval '1 second'"))
    assert {"recovery", "ingest"} == found(rows)


def test_the_next_time_is_that_of_the_first_input_or_delivery(rows):
    assert next_seconds(rows) is None
    rows.cancel(rows.submit(rows.tenant(), callback_url="http://one.example/"))
    assert next_seconds(rows) is None
    rows.execute(outbox.update().values(available_at=func.now() + HOUR))
    assert 3590 < next_seconds(rows) <= 3600
    rows.pending(rows.tenant(), "http://one.example/a.png")
    rows.execute(text("UPDATE inputs SET available_at = now() + interval '1 minute'"))
    assert 50 < next_seconds(rows) <= 60


def test_a_backlog_is_not_read_by_the_plan_of_an_empty_service(rows):
    tenant = rows.tenant()

    def fill():
        rows.execute(
            text("""
                INSERT INTO outbox (id, tenant, job_id, event_seq, type, url, available_at)
                SELECT 'msg_' || number, :tenant, 'job_' || number, 2, 'job.completed', 'http://one.example/',
                    now() + number * interval '1 second'
                FROM generate_series(1, 5000) AS number
            """).bindparams(tenant=tenant)
        )
        rows.execute(
            text("""
                INSERT INTO jobs (id, tenant, modality, model, params, status, max_attempts, priority, deadline_at)
                SELECT 'job_' || number, :tenant, 'image', 'one', '{}', 'queued', 3, 5, now() + interval '1 hour'
                FROM generate_series(1, 5000) AS number
            """).bindparams(tenant=tenant)
        )

    read = scans_of_function(rows.engine, due_function(), ASKED, fill, "outbox", "jobs")
    assert 10 > sum(map(rows_read, read))
