"""The claim as a function of the database: what it returns, and which versions of it a database has."""

import random

import psycopg
import pytest
from sqlalchemy import text

from jobs.schema.migrate import migrate
from jobs.statements.queue.claim import claim
from jobs.statements.queue.claim_function import KEPT_DAYS, call, claim_function

OLD = "claim_000000000000"
NAMES = {claim_function(dedicated=dedicated).name for dedicated in (False, True)}


def functions(url):
    """The names of the claims that a database has, with their comments."""
    found = "SELECT proname, obj_description(oid, 'pg_proc') FROM pg_proc WHERE proname ~ '^claim_'"
    with psycopg.connect(url) as connection:
        return dict(connection.execute(found).fetchall())


def test_the_function_claims_what_the_statement_claims(rows):
    dice, tenants = random.Random(5), [rows.tenant(f"tenant-{number}") for number in range(3)]
    for _ in range(12):
        server_id = dice.choice([None, "gpu-1", "gpu-2"])
        rows.submit(dice.choice(tenants), model=dice.choice("ab"), priority=dice.randrange(3), server_id=server_id)
    for dedicated in (True, False):
        claimant = rows.server(f"gpu-{1 + dedicated}", serves=("a", "b"), resident=("b",), dedicated=dedicated)
        while True:
            with rows.engine.connect() as connection:
                expected = connection.execute(claim(claimant, lease_seconds=60)).one_or_none()
                connection.rollback()
            row = next(iter(rows.execute(call(claimant, lease_seconds=60))), None)
            if row is None:
                break
            same = [name for name in row._fields if name not in ("started_at", "lease_until")]
            assert [expected._mapping[name] for name in same] == [row._mapping[name] for name in same]
            assert 60 == pytest.approx((row.lease_until - row.started_at).total_seconds(), abs=1)
        assert expected is None


def test_the_statement_is_kept_by_the_database_as_it_is(rows):
    for dedicated in (False, True):
        function = claim_function(dedicated=dedicated)
        source = rows.scalar(text("SELECT prosrc FROM pg_proc WHERE proname = :name").bindparams(name=function.name))
        assert f"RETURN QUERY {function.body};" in source
        assert "%" not in function.body


def test_a_database_has_the_functions_of_its_version(empty_database_url):
    migrate(empty_database_url, to="0009")
    assert {} == functions(empty_database_url)
    for _ in range(2):
        migrate(empty_database_url)
        assert dict.fromkeys(NAMES) == functions(empty_database_url)


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


def test_a_function_that_is_wanted_again_is_kept(empty_database_url):
    """After a return to an earlier version."""
    migrate(empty_database_url)
    name = min(NAMES)
    with psycopg.connect(empty_database_url) as connection:
        connection.execute(f"COMMENT ON FUNCTION {name} IS '2026-01-01 00:00:00+00'")
    migrate(empty_database_url)
    assert dict.fromkeys(NAMES) == functions(empty_database_url)
