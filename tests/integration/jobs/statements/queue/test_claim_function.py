"""The claim as a function of the database returns what the statement returns."""

import random

import pytest
from sqlalchemy import text

from jobs.statements.queue.claim import claim
from jobs.statements.queue.claim_function import call, claim_function


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
