"""Statements of the outbox: leases, order, and limits of hosts and tenants."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest
from sqlalchemy import func, select, text, update

from core.ids import new_id
from jobs.schema.tables import outbox, webhook_hosts
from jobs.statements.webhooks import deliveries, receiver_breaker
from jobs.statements.webhooks.delivery_log import STATE


def put(rows, tenant, url="http://one.example/hook", **columns):
    """A delivery that is due."""
    row = {"id": new_id("msg"), "job_id": new_id("job"), "event_seq": 2, "type": "job.completed"}
    row |= {"tenant": tenant, "url": url} | columns
    rows.execute(outbox.insert().values(**row))
    return row["id"]


def take_in_turn(rows):
    rows.execute(deliveries.supersede())
    return take(rows)


def take(rows, limit=100, lease_seconds=30.0, **limits):
    return [
        row.id
        for row in rows.execute(deliveries.take(limit=limit, lease_seconds=lease_seconds, breaker_failures=3, **limits))
    ]


@pytest.fixture
def tenant(rows):
    return rows.tenant()


def test_a_delivery_is_leased_once(rows, tenant):
    message = put(rows, tenant)
    assert [message] == take(rows)
    assert [] == take(rows)
    (row,) = rows.deliveries()
    assert 1 == row.attempt


def test_an_expired_lease_is_taken_again_as_the_next_attempt(rows, tenant):
    message = put(rows, tenant)
    assert [message] == take(rows, lease_seconds=-1.0)
    assert [message] == take(rows)
    assert 2 == rows.deliveries()[0].attempt


@pytest.mark.parametrize(
    "fate",
    [
        lambda message: deliveries.delivered(message, 1, answer=200, milliseconds=5),
        lambda message: deliveries.given_up(message, 1, answer=410, problem="Gone.", milliseconds=5),
        lambda message: deliveries.postponed(message, 1, delay=60, answer=500, problem="Broken.", milliseconds=5),
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
    rows.execute(deliveries.postponed(message, 1, delay=60, answer=500, problem="Broken.", milliseconds=5))
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
        rows.execute(deliveries.delivered(slow[0], 1, answer=200, milliseconds=5))
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
    elsewhere = put(rows, tenant, job_id="job_1", event_seq=9, webhook_id="whk_1")
    assert {first, elsewhere} == set(take(rows))
    rows.execute(deliveries.postponed(first, 1, delay=3600, answer=500, problem="Broken.", milliseconds=5))
    assert [] == take(rows)
    rows.execute(deliveries.given_up(first, 1, answer=500, problem="Broken.", milliseconds=5))
    assert [later] == take(rows)


class TestSuperseding:
    """A newer event of a job makes an undelivered passing one old news, per endpoint."""

    @pytest.fixture
    def events(self, rows, tenant):
        """One event after the other of a job, for an endpoint."""

        def put_event(kind, event_seq, webhook_id="whk_1", **columns):
            return put(
                rows,
                tenant,
                **{"job_id": "job_1", "type": f"job.{kind}", "event_seq": event_seq, "webhook_id": webhook_id}
                | columns,
            )

        return put_event

    def states(self, rows):
        return dict(rows.execute(select(outbox.c.id, STATE)))

    def test_only_the_newest_goes_out(self, rows, events):
        queued, started, completed = events("queued", 1), events("started", 2), events("completed", 3)
        assert [completed] == take_in_turn(rows)
        assert {queued: "superseded", started: "superseded", completed: "pending"} == self.states(rows)

    def test_one_in_its_retry_pause_holds_back_nothing(self, rows, events):
        started = events("started", 2)
        assert [started] == take_in_turn(rows)
        rows.execute(deliveries.postponed(started, 1, delay=3600, answer=500, problem="Broken.", milliseconds=5))
        completed = events("completed", 3)
        assert [completed] == take_in_turn(rows)
        assert "superseded" == self.states(rows)[started]

    def test_a_delivery_under_way_is_not_tried_again(self, rows, events):
        started = events("started", 2)
        assert [started] == take_in_turn(rows)
        completed = events("completed", 3)
        assert [] == take_in_turn(rows)
        rows.execute(deliveries.postponed(started, 1, delay=0, answer=500, problem="Broken.", milliseconds=5))
        assert [completed] == take_in_turn(rows)
        assert {started: "superseded", completed: "pending"} == self.states(rows)

    def test_a_lost_worker_holds_it_back_only_for_the_lease(self, rows, events):
        started = events("started", 2)
        assert [started] == take(rows, lease_seconds=-1.0)
        completed = events("completed", 3)
        assert [completed] == take_in_turn(rows)
        assert "superseded" == self.states(rows)[started]

    def test_what_was_delivered_stays_delivered(self, rows, events):
        started = events("started", 2)
        assert [started] == take_in_turn(rows)
        rows.execute(deliveries.delivered(started, 1, answer=200, milliseconds=5))
        completed = events("completed", 3)
        assert [completed] == take_in_turn(rows)
        assert {started: "delivered", completed: "pending"} == self.states(rows)

    def test_other_endpoints_other_jobs_and_tests_are_not_concerned(self, rows, tenant, events):
        there = [
            events("started", 2, webhook_id="whk_2"),
            events("started", 2, job_id="job_2"),
            put(rows, tenant, "http://two.example/", job_id=None, webhook_id="whk_1", event_seq=1, type="webhook.test"),
            put(rows, tenant, "http://two.example/", job_id=None, webhook_id="whk_1", event_seq=1, type="webhook.test"),
        ]
        completed = events("completed", 3, url="http://three.example/")
        assert {*there, completed} == set(take_in_turn(rows))

    def test_an_end_is_never_superseded(self, rows, events):
        completed, later = events("completed", 3), events("failed", 4)
        assert [completed] == take_in_turn(rows)
        assert {completed: "pending", later: "pending"} == self.states(rows)


class TestBreaker:
    """After three failures in a row a host is left alone, for every worker."""

    URL = "http://u:p@Down.example:8080/a?b"
    HOST = "down.example:8080"

    def fail(self, rows, times=1, seconds=60.0):
        for _ in range(times):
            rows.execute(receiver_breaker.failed(self.URL, failures=3, seconds=seconds))

    def pass_time(self, rows):
        rows.execute(update(webhook_hosts).values(open_until=func.now() - text("interval '1 second'")))

    def left_alone(self, rows):
        """Seconds."""
        return round(rows.scalar(select(func.extract("epoch", webhook_hosts.c.open_until - func.clock_timestamp()))))

    def test_a_host_is_left_alone_and_others_are_not(self, rows, tenant):
        down, up = [put(rows, tenant, self.URL) for _ in range(5)], put(rows, tenant)
        self.fail(rows, 2)
        rows.execute(receiver_breaker.answered(self.URL))
        self.fail(rows, 2)
        taken = take(rows)
        assert {up, *down[:4]} == set(taken)
        rows.execute(update(outbox).where(outbox.c.id.in_(taken)).values(lease_until=None, attempt=0))
        self.fail(rows)
        assert [up] == take(rows)
        assert {0} == {row.attempt for row in rows.deliveries() if row.id in down}

    def test_one_probe_at_a_time_and_the_first_answer_closes_it(self, rows, tenant):
        for _ in range(5):
            put(rows, tenant, self.URL)
        self.fail(rows, 3)
        assert [] == take(rows)
        self.pass_time(rows)
        assert 1 == len(take(rows))
        assert [] == take(rows)
        rows.execute(receiver_breaker.answered(self.URL))
        assert 3 == len(take(rows))

    def test_the_period_doubles_with_each_probe_only(self, rows):
        self.fail(rows, 7)
        assert 60 == self.left_alone(rows)
        for seconds in (120, 240, 480, 960, 1920, 3840, 3840):
            self.pass_time(rows)
            self.fail(rows, 4)
            assert seconds == self.left_alone(rows)
        rows.execute(receiver_breaker.answered("https://DOWN.example:8080"))
        assert [] == rows.execute(webhook_hosts.select())


def test_the_log_has_every_attempt(rows, tenant):
    message = put(rows, tenant)
    take(rows)
    rows.execute(deliveries.postponed(message, 1, delay=0, answer=None, problem="No answer.", milliseconds=1500))
    take(rows)
    rows.execute(deliveries.delivered(message, 2, answer=204, milliseconds=7))
    (row,) = rows.deliveries()
    names = ("attempt", "status", "problem", "milliseconds")
    assert [(1, None, "No answer.", 1500), (2, 204, None, 7)] == [
        tuple(attempt[name] for name in names) for attempt in row.attempts
    ]
    took = row.created_at - datetime.fromisoformat(row.attempts[0]["at"])
    assert 0 < took.total_seconds() < 1.5  # it began that long before it was written down


def test_the_log_ends_somewhere(rows, tenant):
    message = put(rows, tenant, attempts=[{"attempt": number} for number in range(deliveries.LOGGED)])
    take(rows)
    rows.execute(deliveries.delivered(message, 1, answer=204, milliseconds=7))
    (row,) = rows.deliveries()
    assert [1, 204] == [row.attempts[0]["attempt"], row.attempts[-1]["status"]]
    assert deliveries.LOGGED == len(row.attempts)


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
