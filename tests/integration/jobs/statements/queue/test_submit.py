"""Statements of a submit."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import DBAPIError

from api.submit.validation import IdempotencyKey
from core.database import state_of
from jobs.job import JobStatus
from jobs.params.image import ImageParams
from jobs.schema.tables import idempotency, tenants
from jobs.statements import api_keys
from jobs.statements.budget import FULL
from jobs.statements.queue import submit, tenant_jobs
from jobs.statements.queue.look import FollowedJob, Glance, look, look_again
from jobs.statements.queue.submit_function import submit_at_once
from jobs.statements.servers import fleet, heartbeat, leave, register
from jobs.statements.webhooks import endpoints
from jobs.wire.servers import ServerFacts
from tests.support.rows.looks import seen
from tests.support.wait import until

WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")


def test_an_idempotency_key_belongs_to_the_first_submit(rows):
    tenant = rows.tenant()
    assert "job_1" == rows.scalar(submit.remember(tenant, "key", "sha", "job_1"))
    assert [] == rows.execute(submit.remember(tenant, "key", "sha", "job_2"))
    assert [("job_1", "sha")] == [tuple(row) for row in rows.execute(submit.remembered(tenant, "key"))]
    assert "job_3" == rows.scalar(submit.remember(tenant, "other key", "sha", "job_3"))
    assert "job_4" == rows.scalar(submit.remember(rows.tenant("another"), "key", "sha", "job_4"))


def test_an_idempotency_key_is_free_again_after_its_day(rows):
    tenant = rows.tenant()
    rows.execute(submit.remember(tenant, "key", "sha", "job_1"))
    for hours, holder in ((23, "job_1"), (25, "job_2")):
        rows.execute(update(idempotency).values(created_at=func.now() - text(f"interval '{hours} hours'")))
        rows.execute(submit.remember(tenant, "key", "other sha", "job_2"))
        assert holder == rows.execute(submit.remembered(tenant, "key"))[0].job_id
    rows.execute(update(idempotency).values(created_at=func.now() - text("interval '25 hours'")))
    assert [] == rows.execute(submit.remembered(tenant, "key"))


def test_one_of_a_hundred_with_the_same_key_gets_it(rows):
    tenant = rows.tenant()
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda n: rows.execute(submit.remember(tenant, "key", "sha", f"job_{n}")), range(100)))
    assert 1 == sum(len(answer) for answer in answers)


def test_submits_of_a_tenant_count_in_turn_without_deadlock(rows):
    """Ten at once with a quota of five, each with an idempotency row, whose foreign key locks the tenant too."""
    tenant = rows.tenant()
    rows.execute(update(tenants).values(max_waiting_jobs=5))
    gate = threading.Barrier(10)

    def attempt(number):
        with rows.engine.begin() as connection:
            gate.wait()
            connection.execute(submit.remember(tenant, f"key {number}", "sha", f"job_{number}"))
            statement = submit.submit(
                submit.new_job(
                    job_id=f"job_{number}",
                    tenant=tenant,
                    offers=[submit.Offer("chaos")],
                    params=template.read_params(),
                    seed=1,
                    max_attempts=3,
                    deadline_seconds=60,
                    usual_cap=10_000,
                )
            )
            try:
                connection.execute(statement)
            except DBAPIError as error:
                connection.rollback()
                return state_of(error), error.orig.diag.message_primary
            connection.execute(text("SELECT pg_sleep(0.01)"))
            return None

    template = rows.submit(rows.tenant("another"))
    with ThreadPoolExecutor(10) as pool:
        refusals = list(pool.map(attempt, range(10)))
    assert (5, 5) == (refusals.count(None), refusals.count((FULL, "5")))
    assert 5 == rows.count_active(tenant)


def test_jobs_of_one_statement_count_each_other(rows, arrivals):
    """A refusal of one is a refusal of all, so that each is tried alone."""
    tenant = rows.tenant()
    rows.execute(update(tenants).values(max_waiting_jobs=3))
    with pytest.raises(DBAPIError) as caught:
        rows.fetch(submit_at_once(arrivals(tenant, "a", "b", "c", "d")))
    assert (FULL, 0) == (state_of(caught.value), rows.count_active(tenant))
    added = rows.fetch(submit_at_once(arrivals(tenant, "a", "b", "c")))
    assert (["a", "b", "c"], [1, 2, 3]) == ([job.id for job in added], [job.seq - added[0].seq + 1 for job in added])


def test_a_job_whose_key_is_taken_is_not_added(rows, arrivals):
    tenant = rows.tenant()
    rows.execute(submit.remember(tenant, "taken", "sha", "job_1"))
    jobs = arrivals(tenant, "a", "b", "c", keys={"a": "taken", "c": "free"})
    assert ["b", "c"] == [job.id for job in rows.fetch(submit_at_once(jobs))]
    assert "c" == rows.scalar(select(idempotency.c.job_id).where(idempotency.c.key == "free"))


def test_jobs_have_their_places_whatever_their_keys(rows, arrivals):
    jobs = arrivals(rows.tenant(), "a", "b", "c", "d", keys={"a": "z", "b": "m", "d": "a"})
    added = rows.fetch(submit_at_once(jobs))
    assert ["a", "b", "c", "d"] == [job.id for job in sorted(added, key=lambda job: job.seq)]


def test_keys_of_two_statements_are_claimed_in_one_order(rows, arrivals):
    """Both have claimed a key and wait for a third one when the transaction that holds that one ends."""
    tenant = rows.tenant()

    def add(*keys):
        jobs = arrivals(tenant, *(f"{keys} {key}" for key in keys), keys={f"{keys} {key}": key for key in keys})
        return [job.id for job in rows.fetch(submit_at_once(jobs))]

    with ThreadPoolExecutor(2) as pool:
        with rows.engine.begin() as connection:
            connection.execute(submit.remember(tenant, "m", "sha", "job_1"))
            one, other = pool.submit(add, "a", "m", "z"), pool.submit(add, "z", "m", "a")
            until(lambda: 2 == rows.scalar(WAITING), 10, "two statements that wait")
            connection.rollback()
        added = one.result() + other.result()
    assert ["a", "m", "z"] == sorted(job_id[-1] for job_id in added)


def test_jobs_are_counted_only_near_the_cap(rows, arrivals):
    """In between, numbers that others draw stand for jobs of this tenant, so the cap is never exceeded."""

    def counted():
        return rows.execute(select(tenants.c.counted_jobs, tenants.c.counted_at))[0]

    tenant = rows.tenant()
    rows.fetch(submit_at_once(arrivals(tenant, "a")))
    first = counted()
    rows.fetch(submit_at_once(arrivals(tenant, "b", "c")))
    assert (0, first) == (first.counted_jobs, counted())
    rows.execute(select(func.setval("jobs_seq", first.counted_at + 7990)))  # others may have submitted as many
    rows.fetch(submit_at_once(arrivals(tenant, *(f"d{number}" for number in range(20)))))
    assert 3 < counted().counted_jobs <= 23
    rows.execute(update(tenants).values(max_waiting_jobs=23))
    with pytest.raises(DBAPIError):
        rows.fetch(submit_at_once(arrivals(tenant, "e")))


@pytest.fixture
def arrivals():
    """New jobs of these ids, which ask for the usual cap."""

    def make(tenant, *ids, keys=None):
        facts = {"offers": [submit.Offer("chaos")], "params": ImageParams(prompt="a"), "seed": 1, "max_attempts": 3}
        return [
            submit.new_job(
                job_id=job_id,
                tenant=tenant,
                deadline_seconds=60.0,
                usual_cap=10_000,
                key=IdempotencyKey(keys[job_id], "sha") if keys and job_id in keys else None,
                **facts,
            )
            for job_id in ids
        ]

    return make


def test_a_job_without_inputs_is_queued_at_once(rows):
    job = rows.submit(rows.tenant())
    assert JobStatus.QUEUED is job.status
    assert job.queued_at is not None


def test_a_job_with_inputs_waits_for_them(rows):
    tenant = rows.tenant()
    job = rows.submit(tenant, input_image="https://a.example/x.png", reference_images=["stored:reference_images.0"])
    sources = (
        submit.InputSource(name="input_image", kind="image", url="https://a.example/x.png", host="a.example"),
        submit.InputSource(name="reference_images.0", kind="image", source_key="ten/job/inputs/raw/reference_images.0"),
    )
    rows.execute(submit.add_inputs(job.id, tenant, sources))
    assert (JobStatus.PENDING, None) == (job.status, job.queued_at)
    assert 1 == rows.count_active(tenant)
    assert rows.claim(rows.server()) is None
    first, second = rows.inputs(job)
    assert ("input_image", "image", "https://a.example/x.png", None, "a.example", "waiting", tenant) == (
        *(first.name, first.kind, first.url, first.source_key, first.host, first.status, first.tenant),
    )
    assert (None, "ten/job/inputs/raw/reference_images.0", "") == (second.url, second.source_key, second.host)


def test_only_unfinished_jobs_count(rows):
    tenant = rows.tenant()
    for status in JobStatus:
        rows.set(rows.submit(tenant), status=status)
    assert 3 == rows.count_active(tenant)
    assert 0 == rows.count_active(rows.tenant("another"))


def test_the_served_models_are_those_of_living_servers(rows):
    rows.server("a", serves=("one", "two"))
    rows.server("b", serves=("two", "three"))
    rows.server("dead", serves=("four",), lease_seconds=-1.0)
    assert {"one", "two", "three"} == {row[0] for row in rows.execute(submit.served_models())}


def test_a_server_is_known_once_it_was_registered(rows):
    rows.server("a", serves=("one",), lease_seconds=-1.0)
    assert [["one"]] == [row.serves for row in rows.execute(submit.models_of_server("a"))]
    assert [] == rows.execute(submit.models_of_server("b"))


class TestTenantsAndKeys:
    def test_a_tenant_is_made_once(self, rows):
        assert rows.tenant("a") == rows.tenant("a") != rows.tenant("b")
        assert rows.tenant("a") == rows.execute(api_keys.tenant_by_name("a"))[0].id

    def test_a_key_works_until_it_is_revoked(self, rows):
        tenant = rows.tenant()
        rows.execute(api_keys.add_key("key_1", tenant, name="laptop", digest="d1", priority_ceiling=4))
        asked = [Glance(("d0", "d1")), Glance(("d2",), "job_1")]
        (looked,) = rows.fetch(look(asked))
        assert (1, None) == (looked.place, looked.job)
        assert ("key_1", tenant, 4) == (looked.key.id, looked.key.tenant, looked.key.priority_ceiling)
        assert "key_1" == rows.scalar(api_keys.revoke_key("key_1"))
        assert [] == rows.execute(api_keys.revoke_key("key_1"))
        assert [] == rows.fetch(look(asked))
        assert ["laptop"] == [row.name for row in rows.execute(api_keys.list_keys())]

    def test_a_key_works_until_it_expires(self, rows):
        tenant = rows.tenant()
        rows.execute(api_keys.add_key("key_1", tenant, name="day", digest="d1", expires_in=86_400.0))
        (looked,) = rows.fetch(look([Glance(("d1",))]))
        followed = [FollowedJob("job_1", looked.key.id)]
        assert 1 == len(rows.fetch(look_again(followed, counted=True)))
        rows.execute(text("UPDATE api_keys SET expires_at = now() - interval '1 ms'"))
        assert [] == rows.fetch(look([Glance(("d1",))])) == rows.fetch(look_again(followed, counted=True))

    def test_uses_within_a_minute_are_one_write(self, rows):
        tenant = rows.tenant()
        for name in ("key_1", "key_2"):
            rows.execute(api_keys.add_key(name, tenant, name=name, digest=name))
        assert {("key_1",), ("key_2",)} == {tuple(row) for row in rows.execute(api_keys.note_use(["key_1", "key_2"]))}
        assert [] == rows.execute(api_keys.note_use(["key_1", "key_2"]))
        rows.execute(text("UPDATE api_keys SET last_used_at = now() - interval '61 s' WHERE id = 'key_2'"))
        assert [("key_2",)] == [tuple(row) for row in rows.execute(api_keys.note_use(["key_1", "key_2"]))]

    def test_a_budget_is_what_is_left(self, rows):
        tenant = rows.tenant()
        assert rows.scalar(tenant_jobs.balance(tenant)) is None
        rows.execute(api_keys.set_budget(tenant, 1.0))
        for price in (0.000001, 0.25):
            rows.submit(tenant, price_usd=price)
            rows.complete(rows.claim(rows.server(f"gpu-{price}")))
        assert 0.749999 == rows.scalar(tenant_jobs.balance(tenant))

    def test_what_is_reserved_is_not_left(self, rows):
        """As a submit counts; the price of a job that is cancelled is left again."""
        tenant = rows.tenant()
        rows.execute(api_keys.set_budget(tenant, 1.0))
        job = rows.submit(tenant, price_usd=0.75)
        assert 0.25 == rows.scalar(tenant_jobs.balance(tenant)) == seen(rows, job).forecast.balance
        rows.cancel(job)
        assert 1.0 == rows.scalar(tenant_jobs.balance(tenant))

    def test_a_rotation_moves_to_the_next_generation(self, rows):
        tenant = rows.tenant()
        (row,) = rows.execute(endpoints.signer(tenant, None))
        assert (1, None) == (row.generation, row.rotated_at)
        assert 2 == rows.scalar(api_keys.rotate_webhook_secret(tenant))
        (row,) = rows.execute(endpoints.signer(tenant, None))
        assert 2 == row.generation
        assert row.rotated_at <= row.now


class TestServers:
    FACTS = ServerFacts(state="ready", device="cpu", serves=("chaos",))

    def test_a_name_has_one_living_holder(self, rows):
        assert 1 == rows.server("a", lease_seconds=60).incarnation
        assert [] == rows.execute(register("a", self.FACTS, lease_seconds=60))
        rows.execute(leave("a", 1))
        assert 2 == rows.server("a").incarnation

    def test_a_dead_holder_is_followed_by_the_next_incarnation(self, rows):
        rows.server("a", lease_seconds=-1.0)
        assert 2 == rows.server("a").incarnation

    def test_of_many_starters_one_gets_the_name(self, rows):
        rows.server("a", lease_seconds=-1.0)
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: rows.execute(register("a", self.FACTS, lease_seconds=60)), range(8)))
        assert [2] == [row.incarnation for answer in answers for row in answer]

    def test_a_heartbeat_of_an_old_incarnation_is_refused(self, rows):
        rows.server("a", lease_seconds=-1.0)
        rows.server("a", lease_seconds=60)
        assert [] == rows.execute(heartbeat("a", 1, self.FACTS, lease_seconds=60))
        rows.execute(leave("a", 1))
        (row,) = rows.execute(heartbeat("a", 2, self.FACTS, lease_seconds=60))
        assert "active" == row.desired
        (server,) = rows.execute(fleet())
        assert server.alive
        assert server.heartbeat_age.total_seconds() < 5
