"""An upgrade of a service in use: jobs in every state are in an older schema, and the newest code goes on with them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from alembic.script import ScriptDirectory
from psycopg.sql import SQL, Identifier
from sqlalchemy import func, select, text

from core.database import sync_engine
from core.settings import Settings
from jobs.job import Job, JobStatus, job_from_row
from jobs.schema.migrate import MIGRATIONS, migrate
from jobs.schema.tables import jobs, media
from jobs.statements.maintenance import recovery
from jobs.statements.media import input_removal, inputs
from jobs.statements.queue import claim
from jobs.statements.webhooks import deliveries
from tests.support.rows.rows import ARTIFACT, Rows

TABLES = ("tenants", "jobs", "idempotency", "inputs", "outbox", "servers")
PARAMS = '{"modality": "image", "prompt": "a red circle", "width": 64, "height": 64}'
FILL = """
    INSERT INTO tenants (id, name) VALUES ('ten_1', 'studio');
    INSERT INTO servers (server_id, incarnation, lease_until, state, device, serves)
        VALUES ('gone', 4, now() - interval '1 minute', 'busy', 'cpu', '{chaos}');
    INSERT INTO jobs (id, tenant, modality, model, params, seed, status, fence, attempt, max_attempts, priority,
                      worker, incarnation, progress, stage, lease_until, deadline_at, error, artifacts, cost,
                      queued_at, started_at, finished_at, callback_url)
        SELECT 'job_' || status, 'ten_1', 'image', 'chaos', %(params)s, 7, status, fence, fence, 3, 5,
               worker, incarnation, 0.5, 'step', lease_until, now() + interval '1 day', error::jsonb, artifacts::jsonb,
               0.25, now(), now(), finished_at, 'https://hooks.example/'
        FROM (VALUES
            ('pending', 0, NULL, NULL::bigint, NULL::timestamptz, NULL, '[]', NULL::timestamptz),
            ('queued', 0, NULL, NULL, NULL, NULL, '[]', NULL),
            ('processing', 1, 'gone', 4, now() - interval '1 minute', NULL, '[]', NULL),
            ('completed', 1, 'gone', 4, NULL, NULL, %(artifacts)s, now()),
            ('failed', 3, 'gone', 4, NULL, '{"code": "pipeline_failed", "message": "oops"}', '[]', now()),
            ('cancelled', 1, 'gone', 4, NULL, NULL, '[]', now())
        ) AS rows (status, fence, worker, incarnation, lease_until, error, artifacts, finished_at);
    INSERT INTO inputs (job_id, name, tenant, kind, url, host)
        VALUES ('job_pending', 'reference_images.0', 'ten_1', 'image', 'https://media.example/a.png', 'media.example');
    INSERT INTO idempotency (tenant, key, body_sha256, job_id) VALUES ('ten_1', 'order 7', 'ab', 'job_queued');
    INSERT INTO outbox (id, tenant, job_id, event_seq, type, url)
        VALUES ('msg_1', 'ten_1', 'job_completed', 3, 'job.completed', 'https://hooks.example/');
"""
"""What a service of any version since inputs are fetched may hold; columns that all of them have."""


def previous() -> str:
    """The schema before the newest one."""
    script = ScriptDirectory(str(MIGRATIONS))
    newest = script.get_revision(script.get_current_head() or "")
    return str(newest.down_revision)


@pytest.fixture(params=["0002", previous()])
def old(request: pytest.FixtureRequest, empty_database_url: str) -> str:
    """URL of a database of an older version with such contents."""
    return filled(empty_database_url, request.param)


@pytest.fixture(params=["0002", "0009"])
def unnumbered(request: pytest.FixtureRequest, empty_database_url: str) -> str:
    """The same of a version without numbers of the order of submit."""
    return filled(empty_database_url, request.param)


def filled(url: str, revision: str) -> str:
    migrate(url, to=revision)
    with psycopg.connect(url, cursor_factory=psycopg.ClientCursor) as connection:
        connection.execute(FILL, {"artifacts": msgspec.json.encode([ARTIFACT]).decode(), "params": PARAMS})
    return url


@pytest.fixture
def rows(old: str) -> Iterator[Rows]:
    """The same after the upgrade."""
    yield from upgraded(old)


@pytest.fixture(params=["0002", "0014"])
def marked(request: pytest.FixtureRequest, empty_database_url: str) -> Iterator[Rows]:
    """The same of a version that did not know which jobs have inputs, after the upgrade."""
    yield from upgraded(filled(empty_database_url, request.param))


@pytest.fixture(params=["0002", "0015"])
def in_lanes(request: pytest.FixtureRequest, empty_database_url: str) -> Iterator[Rows]:
    """The same of a version whose inputs did not know their model, after the upgrade."""
    yield from upgraded(filled(empty_database_url, request.param))


def upgraded(url: str) -> Iterator[Rows]:
    migrate(url)
    engine = sync_engine(Settings(database_url=url))
    yield Rows(engine)
    engine.dispose()


def contents(url: str) -> dict[str, list[dict[str, Any]]]:
    query = SQL("SELECT to_jsonb(t) FROM {} t ORDER BY to_jsonb(t)")
    with psycopg.connect(url) as connection:
        return {table: [row[0] for row in connection.execute(query.format(Identifier(table)))] for table in TABLES}


def test_nothing_that_was_there_is_lost(old: str) -> None:
    before = contents(old)
    assert set(JobStatus) == {job["status"] for job in before["jobs"]}

    migrate(old)

    after = contents(old)
    for table in TABLES:
        assert len(before[table]) == len(after[table])
        for was, now in zip(before[table], after[table], strict=True):
            assert was == {name: now[name] for name in was}, table


@pytest.mark.long
def test_unfinished_jobs_are_done_and_ended_ones_stay(rows: Rows) -> None:
    ended = {job.id: job for job in every(rows) if job.status.terminal}
    assert 3 == len(ended)

    (lost,) = rows.execute(recovery.reap(backoff=0.0))
    assert "job_processing" == lost.id
    server = rows.server()
    (wanted,) = rows.execute(inputs.take(limit=5, lease_seconds=60, max_attempts=3, tenant_bytes=10**9))
    facts = {"key": "ten_1/a", "media_type": "image/png", "bytes": 1, "sha256": "ab"}
    rows.execute(inputs.ready(wanted.job_id, wanted.name, wanted.fence, **facts))
    rows.execute(inputs.queue_job(wanted.job_id))
    done = [job for _ in range(3) if (job := rows.claim(server)) is not None and rows.complete(job, ARTIFACT)]

    assert {"job_pending", "job_queued", "job_processing"} == {job.id for job in done}
    assert {"a red circle"} == {job.read_params().prompt for job in done}
    assert {"job_processing": 2} == {job.id: job.fence for job in done if job.fence > 1}
    assert ended == {job.id: job for job in every(rows) if job.id in ended}
    delivered = [(delivery.job_id, delivery.type) for delivery in rows.deliveries() if delivery.type == "job.completed"]
    assert {(job_id, "job.completed") for job_id in [*(job.id for job in done), "job_completed"]} == set(delivered)
    assert 4 == len(delivered)


@pytest.mark.long
def test_jobs_keep_the_order_of_their_submit(unnumbered: str) -> None:
    """Those of before are numbered by `created_at`, below every number of a job that is submitted afterwards."""
    with psycopg.connect(unnumbered) as connection:
        connection.execute("UPDATE jobs SET created_at = now() - fence * interval '1 hour' - attempt * interval '1 ms'")
        before = connection.execute("SELECT id FROM jobs WHERE fence <> 1 ORDER BY created_at, id").fetchall()
    migrate(unnumbered)
    with psycopg.connect(unnumbered) as connection:
        after = connection.execute("SELECT id FROM jobs WHERE fence <> 1 ORDER BY seq, id").fetchall()
        assert before == after
        ((highest, next_one),) = connection.execute("SELECT max(seq), nextval('jobs_seq') FROM jobs").fetchall()
        assert highest < next_one


@pytest.mark.long
def test_jobs_that_have_inputs_are_marked(marked: Rows) -> None:
    """Of those without any, the ones that an API of the version before submits are not known yet."""
    known = {row.id: row.has_inputs for row in marked.execute(jobs.select())}
    assert {"job_pending": True} == {job_id: has for job_id, has in known.items() if has is not False}
    with psycopg.connect(marked.engine.url.set(drivername="postgresql").render_as_string(False)) as connection:
        connection.execute("""
            INSERT INTO jobs (id, tenant, modality, model, params, status, max_attempts, priority, deadline_at,
                              finished_at)
            SELECT 'job_before', 'ten_1', 'image', 'chaos', '{}', 'completed', 3, 5, now(), now() - interval '1 day'
        """)
    assert ["job_before"] == [row.id for row in marked.execute(input_removal.finished(3600.0))]
    marked.execute(input_removal.forget("job_before"))
    assert [] == marked.execute(input_removal.finished(3600.0))


@pytest.mark.long
def test_inputs_that_wait_get_the_model_of_their_job(in_lanes: Rows) -> None:
    assert [("waiting", "chaos")] == [tuple(row) for row in in_lanes.execute(text("SELECT status, model FROM inputs"))]


@pytest.mark.long
def test_pictures_of_outputs_leave_the_lists(empty_database_url: str) -> None:
    """A waveform does; one that its owner has tagged stays, and so does the second image of a job."""
    url = filled(empty_database_url, "0034")
    items = {
        "sound": ("job_1", 0, "audio", "{}"),
        "waveform": ("job_1", 1, "image", "{}"),
        "kept": ("job_2", 0, "audio", "{}"),
        "tagged": ("job_2", 1, "image", "{mine}"),
        "first": ("job_3", 0, "image", "{}"),
        "second": ("job_3", 1, "image", "{}"),
    }
    with psycopg.connect(url) as connection:
        for name, facts in items.items():
            connection.execute(
                "INSERT INTO media (id, tenant, status, source, key, job_id, output_number, kind, tags)"
                " VALUES (%s, 'ten_1', 'ready', 'output', 'k', %s, %s, %s, %s)",
                (name, *facts),
            )
    for rows in upgraded(url):
        archived = media.c.archived_at == media.c.created_at
        assert {"waveform"} == {row.id for row in rows.execute(select(media.c.id).where(archived))}
        assert 5 == rows.scalar(select(func.count()).where(media.c.archived_at.is_(None)))


@pytest.mark.long
def test_a_worker_of_the_version_before_goes_on(rows: Rows) -> None:
    """A rolling update: its claim and its submits do not name the newest columns."""
    job = rows.submit("ten_1")
    claimant = rows.server()
    compiled = claim.claim(claimant, lease_seconds=60).compile(rows.engine)
    statement = re.sub(r", (jobs|changed)\.(postponed|store_refused_fence)\b", "", str(compiled))
    assert "postponed" not in statement
    taken = set()
    for _ in range(2):
        with rows.engine.begin() as connection:
            taken.add(connection.exec_driver_sql(statement, compiled.construct_params()).one().id)
    assert {"job_queued", job.id} == taken


@pytest.mark.long
def test_webhooks_of_the_version_before_go_on(rows: Rows) -> None:
    """A rolling update: its workers add deliveries, lease them and keep breakers by host, as if nothing had changed."""
    rows.execute(text("UPDATE outbox SET delivered_at = now()"))
    columns = "INSERT INTO outbox (id, tenant, job_id, event_seq, type, url) VALUES"
    for number in range(8):
        url = "https://hooks.example/" if number < 6 else "https://other.example/"
        rows.execute(text(f"{columns} ('new_{number}', 'ten_1', 'job_{number}', 2, 'job.completed', '{url}')"))
    rows.execute(
        text("INSERT INTO webhook_hosts (host, failures, open_until) VALUES ('other.example', 12, 'infinity')")
    )
    before = text((Path(__file__).parent / "take_of_0010.sql").read_text())
    now = deliveries.take(limit=9, lease_seconds=30.0, breaker_failures=10)

    assert {f"new_{number}" for number in range(4)} == {row.id for row in rows.execute(before)}
    assert {"new_6", "new_7"} == {row.id for row in rows.execute(now)}  # its places at the other host are taken
    rows.execute(text("UPDATE outbox SET delivered_at = now(), lease_until = NULL WHERE lease_until IS NOT NULL"))
    assert {"new_4", "new_5"} == {row.id for row in rows.execute(now)}
    assert [] == rows.execute(before)


def every(rows: Rows) -> list[Job]:
    return [job_from_row(row) for row in rows.execute(jobs.select())]
