"""Connections and migrations on a real PostgreSQL."""

import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import event, func, select, text
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError

from core.database import (
    async_engine,
    autocommitted,
    is_unreachable,
    lent_connection,
    only_reads,
    set_statement_timeout,
    sync_engine,
    threads_engine,
)
from core.settings import Settings
from jobs.schema.migrate import migrate, schema_versions
from jobs.schema.tables import jobs, metadata
from jobs.statements.queue import claim_function
from jobs.statements.queue.look import LOOK, look
from tests.support.rows.traffic import traffic
from tests.support.wait import until


def difference(url):
    """What Alembic would still change."""
    engine = sync_engine(Settings(database_url=url))
    try:
        with engine.connect() as connection:
            return compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata)
    finally:
        engine.dispose()


def test_the_migrations_make_exactly_the_tables(empty_database_url):
    migrate(empty_database_url)
    assert [] == difference(empty_database_url)


@pytest.mark.long
def test_partial_indexes_and_checks_match_the_tables(empty_database_url, postgres):
    """Alembic does not compare the conditions of indexes nor checks, so the two schemas are compared as SQL."""
    migrate(empty_database_url)
    with postgres.empty() as other:
        engine = sync_engine(Settings(database_url=other))
        metadata.create_all(engine)
        engine.dispose()
        assert definitions(other) == definitions(empty_database_url)


def definitions(url):
    indexes = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
    checks = """
        SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND conrelid <> coalesce(to_regclass('alembic_version'), 0)
    """
    columns = """
        SELECT table_name || ' ' || column_name || ' ' || is_nullable || ' ' || coalesce(column_default, '')
        FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'
    """
    with psycopg.connect(url) as connection:
        return {query: sorted(row[0] for row in connection.execute(query)) for query in (indexes, checks, columns)}


def plain_url(rows):
    return rows.engine.url.set(drivername="postgresql").render_as_string(False)


def test_migrating_twice_changes_nothing(database_url):
    migrate(database_url)
    assert [] == difference(database_url)


@pytest.mark.long
def test_threads_may_migrate_at_once(postgres):
    with postgres.empty() as url, ThreadPoolExecutor(2) as pool:
        list(pool.map(migrate, [url] * 2))
        assert [] == difference(url)


@pytest.mark.long
def test_processes_may_migrate_at_once(postgres):
    program = (
        "import sys, alembic.command; from jobs.schema.migrate import migrate; sys.stdin.read(); migrate(sys.argv[1])"
    )
    with postgres.empty() as url:
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", program, url], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            for _ in range(2)
        ]
        for process in processes:
            process.stdin.close()
            process.stdin = None
        outcomes = [process.communicate(timeout=60) for process in processes]
        assert [0] * 2 == [process.returncode for process in processes], outcomes
        assert [] == difference(url)


@pytest.mark.long
def test_the_queue_is_used_while_its_indexes_are_built(empty_database_url):
    """A transaction that is open holds the building of an index up, which must not hold up anybody else."""
    migrate(empty_database_url, to="0005")
    with (
        psycopg.connect(empty_database_url) as long,
        psycopg.connect(empty_database_url, autocommit=True) as other,
        ThreadPoolExecutor(1) as pool,
    ):
        long.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        long.execute("SELECT count(*) FROM tenants")
        migrating = pool.submit(migrate, empty_database_url)
        until(
            lambda: other.execute("SELECT FROM pg_stat_progress_create_index").fetchall(), what="an index to be built"
        )
        other.execute("SET lock_timeout = '2s'")
        other.execute("INSERT INTO tenants (id, name) VALUES ('ten_1', 'studio')")
        other.execute("""
            INSERT INTO jobs (id, tenant, modality, model, params, status, max_attempts, priority, deadline_at)
            VALUES ('job_1', 'ten_1', 'image', 'chaos', '{}', 'queued', 3, 5, now())
        """)
        assert not migrating.done()
        long.rollback()
        migrating.result()
    assert [] == difference(empty_database_url)


@pytest.mark.long
def test_a_migration_that_was_stopped_is_run_again(empty_database_url):
    """What it leaves behind is an index that is not whole."""
    migrate(empty_database_url, to="0005")
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("CREATE INDEX ix_jobs_open ON jobs (id)")
    migrate(empty_database_url)
    assert [] == difference(empty_database_url)


@pytest.mark.long
def test_a_migration_does_not_wait_for_a_table(empty_database_url):
    migrate(empty_database_url, to="0003")
    with psycopg.connect(empty_database_url) as reader:
        reader.execute("SELECT count(*) FROM jobs")
        with pytest.raises(OperationalError, match="lock timeout"):
            migrate(empty_database_url, lock_seconds=0.05)
    migrate(empty_database_url)
    assert [] == difference(empty_database_url)


@pytest.mark.long
def test_a_migration_gives_way_before_a_deadlock(empty_database_url):
    """It has one table and waits for a second, of a transaction that then waits for the first."""
    migrate(empty_database_url, to="0013")
    waits = "SELECT FROM pg_locks WHERE relation = 'jobs'::regclass AND NOT granted"
    with (
        psycopg.connect(empty_database_url) as caller,
        psycopg.connect(empty_database_url, autocommit=True) as other,
        ThreadPoolExecutor(1) as pool,
    ):
        caller.execute("SET LOCAL deadlock_timeout = '500ms'")  # half of the default: this one is ended first
        caller.execute("SELECT count(*) FROM jobs")
        migrating = pool.submit(migrate, empty_database_url)
        until(lambda: other.execute(waits).fetchall(), what="the migration to wait for the table")
        assert (0,) == caller.execute("SELECT count(*) FROM tenants").fetchone()
        caller.commit()
        migrating.result()
    assert [] == difference(empty_database_url)


@pytest.mark.long
def test_the_bound_on_locks_holds_after_rows_were_numbered(empty_database_url, monkeypatch):
    migrate(empty_database_url, to="0009")
    with psycopg.connect(empty_database_url) as reader:

        def with_reader(settings):
            db = sync_engine(settings)

            @event.listens_for(db, "before_cursor_execute")
            def read(connection, cursor, statement, *_):
                if "WITH batch" in statement:
                    reader.execute("SELECT count(*) FROM jobs")

            return db

        monkeypatch.setattr("core.database.sync_engine", with_reader)
        with pytest.raises(OperationalError, match="lock timeout"):
            migrate(empty_database_url, lock_seconds=0.05)
    monkeypatch.undo()
    migrate(empty_database_url)
    assert [] == difference(empty_database_url)


def test_versions_say_whether_to_migrate(empty_database_url):
    settings = Settings(database_url=empty_database_url)
    current, wanted = schema_versions(settings)
    assert current is None
    migrate(empty_database_url)
    assert (wanted, wanted) == schema_versions(settings)


def test_an_unreachable_database_is_away(database_url):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    engine = sync_engine(Settings(database_url=f"postgresql://127.0.0.1:{port}/x"))
    with pytest.raises(Exception, match="connection") as caught:
        engine.connect()
    assert is_unreachable(caught.value)


def test_a_database_that_never_answers_is_away_soon():
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        engine = sync_engine(Settings(database_url=f"postgresql://127.0.0.1:{deaf.getsockname()[1]}/x"))
        started = time.monotonic()
        with pytest.raises(Exception, match="timeout") as caught:
            engine.connect()
        assert time.monotonic() - started < 5
    assert is_unreachable(caught.value)


def test_a_connection_that_was_cut_is_away(rows):
    with rows.engine.connect() as connection, rows.engine.connect() as other:
        pid = connection.scalar(text("SELECT pg_backend_pid()"))
        other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        with pytest.raises(Exception, match="terminat") as caught:
            connection.execute(text("SELECT 1"))
    assert is_unreachable(caught.value)


def test_the_pool_survives_cut_connections(rows):
    with rows.engine.connect() as connection:
        pid = connection.scalar(text("SELECT pg_backend_pid()"))
    cut(rows, pid)
    assert 1 == rows.scalar(text("SELECT 1"))


def cut(rows, pid):
    """End a connection of the server, and return when its process is gone."""
    with psycopg.connect(plain_url(rows)) as other:
        assert other.execute("SELECT pg_terminate_backend(%s, 10000)", [pid]).fetchone()[0]


@pytest.fixture
def pings(rows, monkeypatch):
    """The connections that were pinged."""
    pinged, ping = [], rows.engine.dialect.do_ping
    monkeypatch.setattr(
        rows.engine.dialect, "do_ping", lambda connection: pinged.append(connection) or ping(connection)
    )
    return pinged


def test_a_connection_in_use_is_not_pinged(rows, pings):
    for _ in range(5):
        assert 1 == rows.scalar(text("SELECT 1"))
    assert [] == pings


def test_a_connection_that_was_idle_is_pinged(rows, pings, monkeypatch):
    rows.scalar(text("SELECT 1"))
    monkeypatch.setattr("core.database.FRESH_SECONDS", 0.0)
    rows.scalar(text("SELECT 1"))
    assert 1 == len(pings)


def test_a_connection_whose_server_hung_up_is_pinged(rows, pings):
    cut(rows, rows.scalar(text("SELECT pg_backend_pid()")))
    assert 1 == rows.scalar(text("SELECT 1"))
    assert 1 == len(pings)


def test_a_single_statement_is_one_round_trip(rows):
    single = autocommitted(rows.engine)
    with traffic(rows.engine) as seen:
        for _ in range(5):
            with single.connect() as connection:
                connection.execute(text("SELECT 1"))
    assert 5 == seen.round_trips


def test_what_only_reads_may_be_repeated():
    reads = select(jobs).where(jobs.c.id == "job_1")
    assert only_reads(reads)
    assert only_reads(select(reads.subquery().c.id, select(func.count()).select_from(jobs).scalar_subquery()))
    changed = jobs.update().values(stage="step").returning(jobs.c.id).cte("changed")
    unknown = func.anything("x").table_valued("y")
    for statement in (jobs.update(), select(changed), reads.add_cte(changed), text("SELECT 1"), select(unknown)):
        assert not only_reads(statement)


def test_an_empty_pool_is_away(database_url):
    engine = sync_engine(Settings(database_url=database_url, db_pool=1, db_timeout=0.1))
    with engine.connect(), engine.connect():
        with pytest.raises(Exception, match="QueuePool") as caught:
            engine.connect()
        assert is_unreachable(caught.value)
    engine.dispose()


def test_a_read_only_server_is_unreachable_until_it_writes(rows):
    """A primary that was demoted keeps its connections open: the pool lets go of them."""
    rows.tenant()
    change = f"ALTER DATABASE {rows.engine.url.database} SET default_transaction_read_only = {{}}"
    with psycopg.connect(plain_url(rows), autocommit=True) as admin:
        admin.execute(change.format("on"))
        rows.engine.dispose()
        with pytest.raises(DBAPIError, match="read-only") as caught:
            rows.tenant("another")
        assert is_unreachable(caught.value)
        admin.execute(change.format("off"))
    assert rows.tenant("another")


def test_a_limited_transaction_does_not_hang(rows):
    with rows.engine.begin() as connection:
        connection.execute(set_statement_timeout(0.05))
        started = time.monotonic()
        with pytest.raises(OperationalError, match="statement timeout"):
            connection.execute(text("SELECT pg_sleep(10)"))
        assert time.monotonic() - started < 2
    assert "0" == rows.scalar(text("SELECT current_setting('statement_timeout')"))


def test_a_wrong_statement_is_no_outage(rows):
    with pytest.raises(ProgrammingError) as caught:
        rows.execute(text("SELECT nonsense"))
    assert not is_unreachable(caught.value)
    assert not is_unreachable(ValueError("x"))


def test_all_pools_of_a_box_fit_into_one_server(database_url):
    """`atelier up` with eight GPUs, and the default of PostgreSQL."""
    settings = Settings(database_url=database_url)
    threads, loop = threads_engine(settings).pool, async_engine(settings).pool
    most = [pool.size() + pool._max_overflow for pool in (threads, loop)]
    api, cpu, gpu = most[1], 2 * most[0] + most[1], most[0]
    assert api + cpu + 8 * gpu < 100 - 3  # three are kept for superusers


async def test_one_url_serves_both_worlds(database_url):
    engine = async_engine(Settings(database_url=database_url))
    async with engine.connect() as connection:
        assert 1 == await connection.scalar(text("SELECT 1"))
    await engine.dispose()


PREPARED = text("SELECT statement FROM pg_prepared_statements")


def test_only_calls_of_functions_are_prepared(rows):
    """The plan of any other statement would stay while its tables grow."""
    server = rows.server()
    with rows.engine.connect() as connection:
        for _ in range(20):
            connection.execute(text("SELECT :n"), {"n": 1})
        for _ in range(2):
            connection.execute(claim_function.call(server, lease_seconds=60.0))
        (statement,) = connection.scalars(PREPARED)
    assert claim_function.claim_function(dedicated=False).name in statement


async def test_calls_are_prepared_in_an_event_loop_too(database_url):
    engine = async_engine(Settings(database_url=database_url), autocommit=True)
    query = look([])
    async with lent_connection(engine) as connection:
        await connection.execute(query.text, query.values)
    async with engine.connect() as same:
        assert [True] == [LOOK.name in statement for statement in await same.scalars(PREPARED)]
    await engine.dispose()


def test_nothing_is_prepared_behind_a_pooler(rows, monkeypatch):
    """PgBouncer in transaction mode gives the next transaction another connection."""
    monkeypatch.setattr(psycopg.ConnectionInfo, "backend_pid", 1)
    rows.engine.dispose()
    server = rows.server()
    with rows.engine.connect() as connection:
        connection.execute(claim_function.call(server, lease_seconds=60.0))
        assert [] == list(connection.scalars(PREPARED))
