"""Statements of the outbox: leases, order, and room for everybody."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, text, update

from jobs.ids import new_id
from jobs.statements import deliveries
from jobs.tables import outbox


def put(rows, tenant, url="http://one.example/hook", **columns):
    """A delivery that is due."""
    row = {"id": new_id("msg"), "job_id": new_id("job"), "event_seq": 2, "type": "job.completed"}
    row |= {"tenant": tenant, "url": url} | columns
    rows.execute(outbox.insert().values(**row))
    return row["id"]


def take(rows, limit=100, lease_seconds=30.0, **limits):
    return [row.id for row in rows.execute(deliveries.take(limit=limit, lease_seconds=lease_seconds, **limits))]


@pytest.fixture
def tenant(rows):
    return rows.tenant()


def test_a_delivery_is_leased_once(rows, tenant):
    message = put(rows, tenant)
    assert [message] == take(rows)
    assert [] == take(rows)
    (row,) = rows.deliveries()
    assert 1 == row.attempt


def test_a_lease_that_ran_out_is_taken_again_as_the_next_attempt(rows, tenant):
    message = put(rows, tenant)
    assert [message] == take(rows, lease_seconds=-1.0)
    assert [message] == take(rows)
    assert 2 == rows.deliveries()[0].attempt


@pytest.mark.parametrize(
    "fate",
    [
        lambda message: deliveries.delivered(message, 1, answer=200),
        lambda message: deliveries.given_up(message, 1, answer=410, problem="Gone."),
        lambda message: deliveries.postponed(message, 1, delay=60, answer=500, problem="Broken."),
    ],
)
def test_only_the_holder_of_the_lease_writes_its_fate(rows, tenant, fate):
    message = put(rows, tenant)
    take(rows, lease_seconds=-1.0)
    take(rows)
    before = rows.deliveries()
    rows.execute(fate(message))  # of attempt 1, which another has followed
    assert before == rows.deliveries()
    rows.execute(update(outbox).values(attempt=1))
    rows.execute(fate(message))
    assert before != rows.deliveries()
    rows.execute(update(outbox).values(lease_until=None))
    assert [] == take(rows)


def test_a_postponed_delivery_is_due_later(rows, tenant):
    message = put(rows, tenant)
    take(rows)
    rows.execute(deliveries.postponed(message, 1, delay=60, answer=500, problem="Broken."))
    assert [] == take(rows)
    rows.execute(update(outbox).values(available_at=func.now()))
    assert [message] == take(rows)


def test_the_oldest_go_first_and_no_more_than_asked_for(rows, tenant):
    messages = [put(rows, tenant, f"http://{number}.example/") for number in range(5)]
    assert set(messages[:3]) == set(take(rows, limit=3))
    assert set(messages[3:]) == set(take(rows, limit=3))


class TestRoom:
    """Slow receivers delay only themselves."""

    def test_a_host_has_a_few_under_way_at_once(self, rows, tenant):
        slow = [put(rows, tenant, "http://slow.example/a?b=c") for _ in range(10)]
        quick = put(rows, tenant, "http://quick.example/")
        assert {*slow[:4], quick} == set(take(rows))
        assert [] == take(rows)
        rows.execute(deliveries.delivered(slow[0], 1, answer=200))
        assert [slow[4]] == take(rows)

    @pytest.mark.parametrize(
        "url", ["http://SLOW.example/b", "https://slow.example", "http://slow.example?c", "http://u:p@slow.example/#d"]
    )
    def test_a_host_is_the_same_in_other_words(self, rows, tenant, url):
        for _ in range(4):
            put(rows, tenant, "http://slow.example/a")
        put(rows, tenant, url)
        assert 4 == len(take(rows))

    def test_a_tenant_has_some_under_way_at_once(self, rows, tenant):
        for number in range(50):
            put(rows, tenant, f"http://{number}.example/")
        other = put(rows, rows.tenant("another"), "http://quick.example/")
        taken = take(rows)
        assert 33 == len(taken)
        assert other in taken
        assert [] == take(rows)

    def test_a_full_host_does_not_use_up_its_tenants_room(self, rows, tenant):
        for _ in range(50):
            put(rows, tenant, "http://slow.example/")
        quick = put(rows, tenant, "http://quick.example/")
        assert quick in take(rows)

    def test_leases_that_ran_out_take_no_room(self, rows, tenant):
        messages = [put(rows, tenant) for _ in range(8)]
        assert 4 == len(take(rows, lease_seconds=-1.0))
        taken = take(rows)
        assert 4 == len(taken)
        assert set(taken) <= set(messages)


def test_a_jobs_events_leave_in_their_order(rows, tenant):
    later = put(rows, tenant, job_id="job_1", event_seq=5)
    first = put(rows, tenant, job_id="job_1", event_seq=3)
    elsewhere = put(rows, tenant, "http://two.example/", job_id="job_1", event_seq=9)
    assert {first, elsewhere} == set(take(rows))
    rows.execute(deliveries.postponed(first, 1, delay=3600, answer=500, problem="Broken."))
    assert [] == take(rows)
    rows.execute(deliveries.given_up(first, 1, answer=500, problem="Broken."))
    assert [later] == take(rows)


def test_two_workers_never_lease_the_same_delivery(rows, tenant):
    messages = {put(rows, tenant, f"http://{number}.example/") for number in range(200)}

    def work(_):
        taken = []
        while batch := take(rows, limit=7, tenant_limit=1000):
            taken += batch
        return taken

    with ThreadPoolExecutor(8) as pool:
        taken = [message for batch in pool.map(work, range(8)) for message in batch]
    assert len(messages) == len(taken)
    assert messages == set(taken)
    assert 200 == rows.scalar(text("SELECT sum(attempt) FROM outbox"))


def test_the_room_of_a_host_is_kept_when_many_look_at_once(rows, tenant):
    for _ in range(50):
        put(rows, tenant, "http://slow.example/")
    with ThreadPoolExecutor(8) as pool:
        taken = [message for batch in pool.map(lambda _: take(rows), range(40)) for message in batch]
    assert 4 == len(taken)
