"""The functions of deliveries do what the statements do, and the plan of the lease outlives the empty outbox."""

import pytest
from sqlalchemy import select, text

from core.ids import new_id
from jobs.schema.tables import outbox, webhook_receivers
from jobs.statements.webhooks import deliveries, delivery_functions, receiver_breaker
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


def test_subjects_are_those_of_the_statement(rows):
    tenant = rows.tenant()
    for_job = put(rows, tenant, job_id=rows.submit(tenant=tenant, callback_url="http://one.example/hook").id)
    without = put(rows, tenant)
    expected = {row.delivery_id: row for row in rows.execute(deliveries.subjects([for_job, without]))}
    found = {row.delivery_id: row for row in rows.execute(delivery_functions.call_subjects([for_job, without]))}
    assert {for_job, without} == found.keys()
    for message, row in found.items():
        assert expected[message]._asdict() | {"now": row.now} == row._asdict()
    assert found[for_job].id is not None
    assert found[without].id is None


@pytest.mark.parametrize("record", [delivery_functions.delivered, delivery_functions.call_delivered])
def test_a_delivery_is_recorded_and_its_breaker_closed(rows, record):
    tenant, other = rows.tenant(), rows.tenant("other")
    message = put(rows, tenant, attempt=2)
    url = "http://one.example/hook"
    for owner in (tenant, other):
        rows.execute(receiver_breaker.failed(owner, url, failures=3, seconds=60.0))
    assert [] == rows.execute(record(tenant, url, message, 1, answer=204, milliseconds=7))
    rows.execute(receiver_breaker.failed(tenant, url, failures=3, seconds=60.0))
    assert [message] == [row.id for row in rows.execute(record(tenant, url, message, 2, answer=204, milliseconds=7))]
    (row,) = rows.deliveries()
    assert (204, None, None, True) == (row.answer, row.problem, row.lease_until, row.delivered_at is not None)
    (entry,) = row.attempts
    assert {"attempt": 2, "status": 204, "problem": None, "milliseconds": 7, "at": entry["at"]} == entry
    assert [other] == [row.tenant for row in rows.execute(select(webhook_receivers))]


def call():
    return delivery_functions.call_take(limit=100, lease_seconds=30.0, breaker_failures=3)


@pytest.mark.parametrize("analyzed", [False, True])
def test_the_plan_of_an_empty_outbox_serves_a_full_one(rows, analyzed):
    def fill():
        rows.execute(FILL.bindparams(tenant=rows.tenant()))
        if analyzed:
            rows.execute(text("ANALYZE outbox"))

    arguments = {"limit": 100, "lease": 30.0, "failures": 3}
    found = scans_of_function(rows.engine, delivery_functions.take_function(), arguments, fill, "outbox")
    assert [] == [scan for scan in found if scan["Node Type"] == "Seq Scan"]
    assert 0 < sum(map(rows_read, found)) < 200
