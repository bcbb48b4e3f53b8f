"""Which functions a database has after a migration."""

import psycopg
import pytest

from core.database import sync_engine
from core.settings import Settings
from jobs.schema.migrate import migrate
from jobs.statements.queue.functions import KEPT_DAYS, definitions, missing_functions

OLD = "claim_000000000000"
NAMES = set(definitions())


def functions(url):
    """The names of the functions of a database that have a digest, with their comments."""
    found = "SELECT proname, obj_description(oid, 'pg_proc') FROM pg_proc WHERE proname ~ '_[0-9a-f]{12}$'"
    with psycopg.connect(url) as connection:
        return dict(connection.execute(found).fetchall())


def test_a_database_has_the_functions_of_its_version(empty_database_url):
    migrate(empty_database_url, to="0009")
    assert {} == functions(empty_database_url)
    for _ in range(2):
        migrate(empty_database_url)
        assert dict.fromkeys(NAMES) == functions(empty_database_url)


def test_no_function_is_compiled_for_what_is_switched_off():
    """Before PostgreSQL 18 a scan that is switched off counts as so dear that it would be compiled at each call."""
    assert [] == [name for name, definition in definitions().items() if "SET jit = off" not in definition]


@pytest.mark.long
def test_a_superseded_function_stays_for_a_while(empty_database_url):
    """Workers of the version before call it until they are restarted."""
    migrate(empty_database_url)
    with psycopg.connect(empty_database_url) as connection:
        connection.execute(f"CREATE FUNCTION {OLD}(text) RETURNS text LANGUAGE sql AS 'SELECT $1'")
    migrate(empty_database_url)
    migrate(empty_database_url)
    assert {OLD, *NAMES} == functions(empty_database_url).keys()
    with psycopg.connect(empty_database_url) as connection:
        since = f"SELECT now() - interval '{KEPT_DAYS} days 1 hour'"
        connection.execute(f"COMMENT ON FUNCTION {OLD} IS '{connection.execute(since).fetchone()[0]}'")
    migrate(empty_database_url)
    assert dict.fromkeys(NAMES) == functions(empty_database_url)


@pytest.mark.long
def test_a_function_that_is_wanted_again_is_kept(empty_database_url):
    """After a return to an earlier version."""
    migrate(empty_database_url)
    name = min(NAMES)
    with psycopg.connect(empty_database_url) as connection:
        connection.execute(f"COMMENT ON FUNCTION {name} IS '2026-01-01 00:00:00+00'")
    migrate(empty_database_url)
    assert dict.fromkeys(NAMES) == functions(empty_database_url)


@pytest.mark.long
def test_missing_functions_are_named(empty_database_url):
    migrate(empty_database_url)
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    engine = sync_engine(Settings(database_url=empty_database_url))
    with engine.connect() as connection:
        assert NAMES == set(connection.execute(missing_functions()).scalars())
    engine.dispose()
