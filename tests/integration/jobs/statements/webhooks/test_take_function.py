"""The lease of deliveries as a function: it does what the statement does, and its plan outlives the empty outbox."""

import pytest
from sqlalchemy import text

from core.ids import new_id
from jobs.schema.tables import outbox
from jobs.statements.webhooks import take_function
from tests.support.rows.plans import rows_read, scans_of_function

FILL = text("""
    INSERT INTO outbox (id, tenant, job_id, event_seq, type, url)
    SELECT 'msg_' || number, :tenant, 'job_' || number, 2, 'job.completed', 'http://one.example/'
    FROM generate_series(1, 5000) AS number
""")


def put(rows, tenant, url="http://one.example/hook", **columns):
    row = {"id": new_id("msg"), "job_id": new_id("job"), "event_seq": 2, "type": "job.completed"}
    rows.execute(outbox.insert().values(**row | {"tenant": tenant, "url": url} | columns))
    return row["id"]


def test_it_leases_and_supersedes_as_the_statement_does(rows):
    tenant = rows.tenant()
    stale = put(rows, tenant, job_id="job_1", event_seq=1, type="job.queued")
    newest = put(rows, tenant, job_id="job_1", event_seq=2)
    found = {row.id: row for row in rows.execute(call())}
    assert {stale, newest} == found.keys()
    assert (None, True) == (found[newest].superseded_at, found[newest].lease_until is not None)
    assert found[stale].superseded_at is not None
    assert [] == rows.execute(call())
    assert list(outbox.c.keys()) == list(found[newest]._fields)


def call():
    return take_function.call(limit=100, lease_seconds=30.0, breaker_failures=3)


@pytest.mark.parametrize("analyzed", [False, True])
def test_the_plan_of_an_empty_outbox_serves_a_full_one(rows, analyzed):
    def fill():
        rows.execute(FILL.bindparams(tenant=rows.tenant()))
        if analyzed:
            rows.execute(text("ANALYZE outbox"))

    arguments = {"limit": 100, "lease": 30.0, "failures": 3}
    found = scans_of_function(rows.engine, take_function.take_function(), arguments, fill, "outbox")
    assert [] == [scan for scan in found if scan["Node Type"] == "Seq Scan"]
    assert 0 < sum(map(rows_read, found)) < 200
