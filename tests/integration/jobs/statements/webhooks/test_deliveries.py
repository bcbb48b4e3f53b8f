"""Statements of the outbox: leases, order, and limits of hosts and tenants."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest
from sqlalchemy import Text, func, literal, select, text, update

from core.ids import new_id
from jobs.schema.tables import outbox, webhook_receivers
from jobs.statements.webhooks import deliveries, lanes, receiver_breaker
from jobs.statements.webhooks.delivery_log import STATE
from tests.support.rows.plans import rows_read, scans
from tests.support.wait import until


def put(rows, tenant, url="http://one.example/hook", **columns):
    """A delivery that is due."""
    row = {"id": new_id("msg"), "job_id": new_id("job"), "event_seq": 2, "type": "job.completed"}
    row |= {"tenant": tenant, "url": url} | columns
    rows.execute(outbox.insert().values(**row))
    return row["id"]


def take(rows, limit=100, lease_seconds=30.0, **limits):
    statement = deliveries.take(limit=limit, lease_seconds=lease_seconds, breaker_failures=3, **limits)
    return [row.id for row in rows.execute(statement) if row.superseded_at is None]


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
        "url",
        [
            *("http://SLOW.example/b", "HTTP://slow.example", "http://slow.example?c", "http://u:p@slow.example/#d"),
            *("http://slow.example:80/b", "http://slow.example.", "http://slow.example:/b", "http://slow.example:080"),
        ],
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


class TestTurns:
    """Tenants that send to one origin share its places."""

    @pytest.fixture
    def other(self, rows):
        return rows.tenant("another")

    def test_tenants_take_turns_however_much_one_has(self, rows, tenant, other):
        backlog = [put(rows, tenant) for _ in range(60)]
        late = [put(rows, other) for _ in range(2)]
        assert {*backlog[:2], *late} == set(take(rows))

    def test_a_tenant_that_waits_gets_what_another_has_borrowed(self, rows, tenant, other):
        """Four deliveries that hang are under way before another tenant has anything to send."""
        hanging = [put(rows, tenant) for _ in range(60)]
        assert set(hanging[:4]) == set(take(rows))
        late = [put(rows, other) for _ in range(5)]
        assert set(late[:2]) == set(take(rows))
        assert [] == take(rows)
        for message in late[:2]:
            rows.execute(deliveries.delivered(message, 1, answer=200, milliseconds=5))
        assert set(late[2:4]) == set(take(rows))

    def test_a_tenant_alone_has_every_place(self, rows, tenant, other):
        mine = [put(rows, tenant) for _ in range(6)]
        put(rows, other, "http://two.example/")
        taken = take(rows)
        assert set(mine[:4]) == set(mine) & set(taken)

    def test_what_waits_for_something_else_leaves_the_places(self, rows, tenant, other):
        mine = [put(rows, tenant) for _ in range(6)]
        put(rows, other, available_at=func.now() + text("interval '1 hour'"))
        assert set(mine[:4]) == set(take(rows))

    def test_more_tenants_than_places_all_get_one_in_time(self, rows, tenant):
        """The oldest backlog is not always the first among those that have nothing under way."""
        backlogs = [rows.tenant(f"tenant {number}") for number in range(6)]
        for one in backlogs:
            for _ in range(30):
                put(rows, one)
        late = put(rows, tenant)
        taken = []

        def is_sent():
            batch = take(rows)
            for message in batch:
                rows.execute(deliveries.delivered(message, 1, answer=200, milliseconds=5))
            taken.extend(batch)
            return late in taken

        until(is_sent, timeout=30, every=0.25, what="the turn of the last tenant")

    def test_every_tenant_begins_before_one_has_a_second(self, rows, tenant):
        for number in range(20):
            put(rows, tenant, f"http://{number}.example/")
        other = put(rows, rows.tenant("another"), "http://another.example/")
        assert other in take(rows, limit=2)


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
        assert [completed] == take(rows)
        assert {queued: "superseded", started: "superseded", completed: "pending"} == self.states(rows)

    def test_one_in_its_retry_pause_holds_back_nothing(self, rows, events):
        started = events("started", 2)
        assert [started] == take(rows)
        rows.execute(deliveries.postponed(started, 1, delay=3600, answer=500, problem="Broken.", milliseconds=5))
        completed = events("completed", 3)
        assert [completed] == take(rows)
        assert "superseded" == self.states(rows)[started]

    def test_a_delivery_under_way_is_not_tried_again(self, rows, events):
        started = events("started", 2)
        assert [started] == take(rows)
        completed = events("completed", 3)
        assert [] == take(rows)
        rows.execute(deliveries.postponed(started, 1, delay=0, answer=500, problem="Broken.", milliseconds=5))
        assert [completed] == take(rows)
        assert {started: "superseded", completed: "pending"} == self.states(rows)

    def test_a_lost_worker_holds_it_back_only_for_the_lease(self, rows, events):
        started = events("started", 2)
        assert [started] == take(rows, lease_seconds=-1.0)
        completed = events("completed", 3)
        assert [completed] == take(rows)
        assert "superseded" == self.states(rows)[started]

    def test_what_was_delivered_stays_delivered(self, rows, events):
        started = events("started", 2)
        assert [started] == take(rows)
        rows.execute(deliveries.delivered(started, 1, answer=200, milliseconds=5))
        completed = events("completed", 3)
        assert [completed] == take(rows)
        assert {started: "delivered", completed: "pending"} == self.states(rows)

    def test_other_endpoints_other_jobs_and_tests_are_not_concerned(self, rows, tenant, events):
        there = [
            events("started", 2, webhook_id="whk_2"),
            events("started", 2, job_id="job_2"),
            put(rows, tenant, "http://two.example/", job_id=None, webhook_id="whk_1", event_seq=1, type="webhook.test"),
            put(rows, tenant, "http://two.example/", job_id=None, webhook_id="whk_1", event_seq=1, type="webhook.test"),
        ]
        completed = events("completed", 3, url="http://three.example/")
        assert {*there, completed} == set(take(rows))

    def test_a_long_row_of_old_news_is_closed_step_by_step(self, rows, events, monkeypatch):
        for number in range(100):
            events("queued", 1, job_id=f"job_{number}")
        ends = [events("completed", 2, job_id=f"job_{number}") for number in range(100)]
        closed = 0
        for _ in range(100 // lanes.HEAD + 1):
            changed = rows.execute(deliveries.take(limit=100, lease_seconds=30.0, breaker_failures=3))
            closed += sum(row.superseded_at is not None for row in changed)
            assert not {row.id for row in changed if row.superseded_at is None} - set(ends)
        assert closed == 100

    def test_an_older_event_that_is_locked_holds_back_the_newer(self, rows, events):
        """Another worker is about to lease it."""
        started, completed = events("started", 2), events("completed", 3)
        with rows.engine.begin() as other:
            other.execute(select(outbox.c.id).where(outbox.c.id == started).with_for_update())
            assert [] == take(rows)
        assert [completed] == take(rows)

    def test_an_end_is_never_superseded(self, rows, events):
        completed, later = events("completed", 3), events("failed", 4)
        assert [completed] == take(rows)
        assert {completed: "pending", later: "pending"} == self.states(rows)


class TestBreaker:
    """After three failures in a row a host is left alone, for every worker."""

    URL = "http://u:p@Down.example:8080/a?b"

    def fail(self, rows, times=1, seconds=60.0, url=URL):
        for _ in range(times):
            rows.execute(receiver_breaker.failed(rows.tenant(), url, failures=3, seconds=seconds))

    def answer(self, rows, url=URL):
        rows.execute(receiver_breaker.answered(rows.tenant(), url))

    def pass_time(self, rows):
        rows.execute(update(webhook_receivers).values(open_until=func.now() - text("interval '1 second'")))

    def left_alone(self, rows):
        """Seconds."""
        until = webhook_receivers.c.open_until
        return round(rows.scalar(select(func.extract("epoch", until - func.clock_timestamp()))))

    def test_a_host_is_left_alone_and_others_are_not(self, rows, tenant):
        down, up = [put(rows, tenant, self.URL) for _ in range(5)], put(rows, tenant)
        self.fail(rows, 2)
        self.answer(rows)
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
        self.answer(rows)
        assert 3 == len(take(rows))

    def test_the_period_doubles_with_each_probe_only(self, rows):
        self.fail(rows, 7)
        assert 60 == self.left_alone(rows)
        for seconds in (120, 240, 480, 960, 1920, 3840, 3840):
            self.pass_time(rows)
            self.fail(rows, 4)
            assert seconds == self.left_alone(rows)
        self.answer(rows, "HTTP://DOWN.example:8080")
        assert [] == rows.execute(webhook_receivers.select())

    def test_another_scheme_port_or_tenant_is_another_receiver(self, rows, tenant):
        """Port 80 may be closed where https is served, and one tenant's path may hang where another's answers."""
        secure = put(rows, tenant, "https://down.example:8080/a?b")
        elsewhere = put(rows, tenant, "http://down.example/a?b")
        other = put(rows, rows.tenant("another"), self.URL)
        put(rows, tenant, self.URL)
        self.fail(rows, 3)
        assert {secure, elsewhere, other} == set(take(rows))

    def test_each_tenant_has_a_probe_of_its_own(self, rows, tenant):
        for _ in range(3):
            put(rows, tenant, self.URL)
        others = [put(rows, rows.tenant("another"), self.URL) for _ in range(3)]
        self.fail(rows, 3)
        rows.execute(receiver_breaker.failed(rows.tenant("another"), self.URL, failures=1, seconds=60.0))
        rows.execute(update(webhook_receivers).values(failures=3))
        self.pass_time(rows)
        taken = take(rows)
        assert 2 == len(taken)
        assert 1 == len(set(others) & set(taken))
        assert [] == take(rows)

    def test_probes_take_no_place_from_other_tenants(self, rows, tenant):
        for number in range(6):
            one = rows.tenant(f"broken {number}")
            put(rows, one, self.URL)
            rows.execute(receiver_breaker.failed(one, self.URL, failures=1, seconds=-1.0))
        rows.execute(update(webhook_receivers).values(failures=3))
        working = [put(rows, tenant, self.URL) for _ in range(4)]
        taken = take(rows)
        assert set(working) < set(taken)
        assert 10 == len(taken)

    def test_a_receiver_without_a_failure_for_a_day_is_removed(self, rows):
        self.fail(rows, 4)
        self.fail(rows, 1, url="http://made-up.example/")
        rows.execute(receiver_breaker.forget_receivers())
        assert 2 == len(rows.execute(webhook_receivers.select()))
        old = func.now() - text("interval '25 hours'")
        rows.execute(update(webhook_receivers).where(webhook_receivers.c.failures == 1).values(failed_at=old))
        rows.execute(receiver_breaker.forget_receivers())
        assert ["http://down.example:8080"] == [row.origin for row in rows.execute(webhook_receivers.select())]


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


class TestLanes:
    """The cost is one of lanes, not of what lies in them."""

    def fill(self, rows, tenant, count, url="http://one.example/hook", **columns):
        """Deliveries, made by one statement; `url` and columns may depend on `number`, from 1."""
        made = {"id": func.gen_random_uuid().cast(Text), "job_id": func.gen_random_uuid().cast(Text)}
        made |= {"tenant": literal(tenant), "event_seq": literal(2), "type": literal("job.completed")}
        made |= {"url": literal(url) if isinstance(url, str) else url, **columns}
        numbers = func.generate_series(1, count).table_valued("number").render_derived("numbers")
        rows.execute(outbox.insert().from_select(list(made), select(*made.values()).select_from(numbers)))

    @pytest.mark.matrix
    @pytest.mark.parametrize("statistics", ["none", "of before", "present"])
    def test_a_backlog_at_one_host_is_not_read(self, rows, tenant, statistics):
        other = rows.tenant("another")
        self.fill(rows, tenant, 200, delivered_at=func.now())
        if statistics == "of before":
            rows.execute(text("ANALYZE outbox"))
        self.fill(rows, tenant, 5000)
        self.fill(rows, tenant, 5000, "http://down.example/")
        rows.execute(receiver_breaker.failed(tenant, "http://down.example/", failures=1, seconds=60.0))
        quick = put(rows, other, "http://quick.example/")
        assert quick in take(rows)
        if statistics == "present":
            rows.execute(text("ANALYZE outbox"))
        again = deliveries.take(limit=100, lease_seconds=30.0, breaker_failures=3)
        found = scans(rows.engine, again, "outbox")
        assert [] == [scan for scan in found if scan["Node Type"] == "Seq Scan"]
        assert 0 < sum(map(rows_read, found)) < 200

    @pytest.mark.long
    def test_many_made_up_hosts_are_visited_by_turns(self, rows, tenant, monkeypatch):
        """One tenant's lanes are bounded in a statement, and each of them is visited in time."""
        monkeypatch.setattr(lanes, "LANES", 10)
        deliveries.take.cache_clear()
        other = rows.tenant("another")
        later = func.now() + text("interval '1 hour'")
        self.fill(rows, tenant, 3000, func.concat("http://", text("number"), ".example/"), available_at=later)
        due = put(rows, tenant, "http://due.example/")
        quick = put(rows, other, "http://quick.example/")
        found = scans(rows.engine, deliveries.take(limit=9, lease_seconds=30.0, breaker_failures=3), "outbox")
        assert 0 < sum(map(rows_read, found)) < 60
        assert rows.scalar(select(outbox.c.lease_until).where(outbox.c.id == quick)) is not None
        for second in range(3000):
            visited = {row.origin for row in rows.execute(text(lanes._lanes_of(f"'{tenant}'", f"{second}::bigint")))}
            assert 10 == len(visited)
            if "http://due.example:80" in visited:
                break
        else:
            raise AssertionError(f"{due} was never visited")
