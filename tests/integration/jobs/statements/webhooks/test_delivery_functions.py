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
    assert {newest: None, stale: "superseded"} == {
        row.outbox_id: row.outbox_superseded_at and "superseded" for row in rows.execute(call())
    }
    leases = {row.id: (row.lease_until is not None, row.attempt) for row in rows.deliveries()}
    assert {newest: (True, 1), stale: (False, 0)} == leases
    assert [] == rows.execute(call())


def test_subjects_are_those_of_the_statement(rows):
    tenant = rows.tenant()
    for_job = put(rows, tenant, job_id=rows.submit(tenant=tenant, callback_url="http://one.example/hook").id)
    without = put(rows, tenant)
    taken = rows.execute(deliveries.with_subjects(deliveries.take(limit=9, lease_seconds=30.0, breaker_failures=3)))
    expected = {row.outbox_id: row for row in taken}
    rows.execute(outbox.update().values(lease_until=None, attempt=0))
    found = {row.outbox_id: row for row in rows.execute(call())}
    assert {for_job, without} == found.keys() == expected.keys()
    for message, row in found.items():
        assert expected[message]._asdict() | {"now": row.now} == row._asdict()
    assert found[for_job].id is not None
    assert found[without].id is None


PAST, FUTURE = (text(f"now() {sign} interval '1 minute'") for sign in "-+")
OPEN = {"open_until": FUTURE, "failures": 3}


@pytest.mark.parametrize(
    ("several", "receiver", "alone", "due"),
    [
        pytest.param([{}], None, True, [0], id="the only one"),
        pytest.param([{"available_at": FUTURE}], None, False, [], id="postponed"),
        pytest.param([{"lease_until": FUTURE}], None, False, [], id="under way"),
        pytest.param([{"lease_until": PAST}], None, True, [0], id="its worker was lost"),
        pytest.param([{"delivered_at": PAST}], None, False, [], id="delivered"),
        pytest.param([{}], OPEN, False, [], id="its receiver is left alone"),
        pytest.param([{}], OPEN | {"open_until": PAST}, True, [0], id="its receiver is tried again"),
        pytest.param([{}, {"available_at": FUTURE}], None, True, [0], id="beside one that is postponed"),
        pytest.param([{}, {"given_up_at": PAST}], None, True, [0], id="beside one that was given up"),
        pytest.param([{}, {"lease_until": FUTURE}], None, False, [0], id="beside one under way"),
        pytest.param([{}, {}], None, False, [0, 1], id="beside another one that is due"),
        pytest.param(
            [{"job_id": "job_1"}, {"job_id": "job_1", "event_seq": 1, "available_at": FUTURE}],
            *(None, False, []),
            id="after an earlier one of its job that is postponed",
        ),
    ],
)
def test_what_is_due_alone_is_leased_without_the_choice(rows, several, receiver, alone, due):
    """The shortcut leases only what the choice would lease, and the function whatever it does."""
    tenant = rows.tenant()
    ids = [put(rows, tenant, **columns) for columns in several]
    if receiver:
        values = {"tenant": tenant, "origin": "http://one.example:80", "failed_at": PAST} | receiver
        rows.execute(webhook_receivers.insert().values(**values))
    expected = [ids[place] for place in due]
    shortcut = deliveries.take_only(lease_seconds=30.0)
    chosen = deliveries.take(limit=9, lease_seconds=30.0, breaker_failures=3)
    assert (expected if alone else []) == tried(rows, shortcut)
    assert sorted(expected) == sorted(tried(rows, chosen))
    assert sorted(expected) == sorted(row.outbox_id for row in rows.execute(call()))


def tried(rows, statement):
    """The ids that the statement returns, whose changes are not kept."""
    with rows.engine.connect() as connection:
        return [row.id for row in connection.execute(statement)]


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


@pytest.mark.matrix
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
