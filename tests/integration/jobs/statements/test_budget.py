"""A budget is a bound: every submit reserves its price, and every end of a job settles it."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from core.database import state_of
from core.errors.failures import InputUnreachable
from jobs.job import DeviceTime, JobError
from jobs.schema.tables import api_keys, jobs, tenants
from jobs.statements import budget
from jobs.statements.api_keys import add_key, set_budget
from jobs.statements.maintenance import recovery
from jobs.statements.media import inputs
from jobs.statements.queue import claimed, redrive, submit, tenant_jobs
from tests.support.rows.rows import ARTIFACT

PRICE = 0.03
ERROR = JobError.of(InputUnreachable)


@pytest.fixture
def tenant(rows):
    return rows.tenant()


@pytest.fixture
def job(rows, tenant):
    """A claimed job with a price."""
    rows.submit(tenant, price_usd=PRICE)
    return rows.claim(rows.server())


def money(rows, tenant):
    """What is spent and what is reserved."""
    return tuple(rows.execute(select(tenants.c.spent_usd, tenants.c.reserved_usd).where(tenants.c.id == tenant))[0])


def refusal(rows, tenant, price):
    """The SQLSTATE that a submit is refused with."""
    with pytest.raises(DBAPIError) as caught:
        rows.submit(tenant, price_usd=price)
    return state_of(caught.value)


def commit(rows, job, cost=0.0):
    rows.execute(claimed.commit(job.id, job.fence, artifacts=[ARTIFACT], warnings=[], cost=cost))


def lose(rows, job):
    rows.execute(claimed.lose(job.id, job.fence, backoff=0.0))


def lose_the_last(rows, job):
    rows.set(job, attempt=3)
    lose(rows, job)


def expire(rows, job):
    rows.set(job, deadline_at=func.now())
    rows.execute(recovery.expire())


def reap(rows, job):
    rows.set(job, lease_until=func.now() - text("interval '1 second'"))
    rows.execute(recovery.reap(backoff=0.0))


def reap_the_last(rows, job):
    rows.set(job, attempt=3)
    reap(rows, job)


def reclaim_the_last(rows, job):
    rows.set(job, attempt=3)
    rows.execute(recovery.reclaim(job.worker, job.incarnation + 1))


def fail_the_input(rows, job):
    rows.set(job, status="pending")
    rows.execute(inputs.fail_job(job.id, ERROR))


ENDS = {
    "fail": lambda rows, job: rows.execute(claimed.fail(job.id, job.fence, ERROR)),
    "cancel": lambda rows, job: rows.cancel(job),
    "erase": lambda rows, job: rows.execute(tenant_jobs.erase(job.id, job.tenant)),
    "lose_the_last": lose_the_last,
    "expire": expire,
    "reap_the_last": reap_the_last,
    "reclaim_the_last": reclaim_the_last,
    "fail_the_input": fail_the_input,
}
"""Every end of a job but its completion."""

CHANGES = {
    "release": lambda rows, job: rows.execute(claimed.release(job.id, job.fence)),
    "postpone": lambda rows, job: rows.execute(claimed.postpone(job.id, job.fence, delay=1.0)),
    "lose": lose,
    "reap": reap,
    "reclaim": lambda rows, job: rows.execute(recovery.reclaim(job.worker, job.incarnation + 1)),
}
"""Changes after which the job goes on."""


def test_a_submit_reserves_its_price(rows, tenant):
    job = rows.submit(tenant, price_usd=PRICE)
    assert (PRICE, (0.0, PRICE)) == (job.price_usd, money(rows, tenant))


def test_a_commit_spends_what_was_reserved(rows, tenant, job):
    """The price of the submit, even when the worker's catalog has another one by now."""
    commit(rows, job, cost=5.0)
    assert (PRICE, (PRICE, 0.0)) == (rows.job(job).cost, money(rows, tenant))


@pytest.mark.parametrize("end", ENDS)
def test_30_every_other_end_releases_the_price(rows, tenant, job, end):
    other = rows.submit(tenant, price_usd=1.0)
    ENDS[end](rows, job)
    assert rows.job(job).status.terminal
    assert (0.0, 1.0) == money(rows, tenant)
    rows.execute(tenant_jobs.erase(job.id, tenant))
    assert (0.0, 1.0) == money(rows, tenant)
    rows.cancel(other)
    assert (0.0, 0.0) == money(rows, tenant)


@pytest.mark.parametrize("change", CHANGES)
def test_a_job_that_goes_on_keeps_its_reservation(rows, tenant, job, change):
    CHANGES[change](rows, job)
    assert not rows.job(job).status.terminal
    assert (0.0, PRICE) == money(rows, tenant)


def test_the_deletion_of_a_completed_job_refunds_nothing(rows, tenant, job):
    commit(rows, job)
    rows.submit(tenant, price_usd=1.0)
    rows.execute(tenant_jobs.erase(job.id, tenant))
    assert (PRICE, 1.0) == money(rows, tenant)


def test_one_statement_settles_jobs_of_many_tenants(rows):
    owners = [rows.tenant(name) for name in ("a", "b", "c")]
    for owner in owners:
        for _ in range(3):
            rows.submit(owner, price_usd=PRICE, deadline_seconds=-1.0)
    kept = rows.submit(owners[0], price_usd=PRICE)
    rows.execute(recovery.expire())
    assert [(0.0, kept.price_usd), (0.0, 0.0), (0.0, 0.0)] == [money(rows, owner) for owner in owners]


def test_a_price_must_fit_into_what_is_left(rows, tenant):
    rows.execute(set_budget(tenant, 0.1))
    for _ in range(3):
        rows.submit(tenant, price_usd=PRICE)
    assert budget.SPENT == refusal(rows, tenant, PRICE)
    rows.submit(tenant, price_usd=0.01)
    assert (0.0, 0.1) == money(rows, tenant)
    assert budget.SPENT == refusal(rows, tenant, 0.000001)
    rows.submit(tenant)  # free of charge


def test_a_spent_budget_lets_no_job_in(rows, tenant, job):
    rows.execute(set_budget(tenant, PRICE))
    commit(rows, job)
    assert budget.SPENT == refusal(rows, tenant, 0.0)


def test_a_question_reserves_nothing(rows, tenant):
    rows.execute(set_budget(tenant, PRICE))
    rows.execute(submit.ask(tenant, PRICE, usual_cap=1))
    assert (0.0, 0.0) == money(rows, tenant)
    with pytest.raises(DBAPIError) as caught:
        rows.execute(submit.ask(tenant, 2 * PRICE, usual_cap=1))
    assert budget.SPENT == state_of(caught.value)


def test_a_question_counts_under_a_low_cap(rows, tenant, job):
    rows.execute(submit.ask(tenant, 0.0, usual_cap=2))
    with pytest.raises(DBAPIError) as caught:
        rows.execute(submit.ask(tenant, 0.0, usual_cap=1))
    assert budget.FULL == state_of(caught.value)


def test_a_refused_submit_leaves_nothing(rows, tenant):
    rows.execute(set_budget(tenant, 0.0))
    refusal(rows, tenant, PRICE)
    assert (0, (0.0, 0.0)) == (rows.scalar(select(func.count()).select_from(jobs)), money(rows, tenant))


def test_a_free_job_far_from_the_cap_takes_no_lock(rows, tenant):
    """Neither its submit nor its end waits for another one of its tenant."""
    template = rows.submit(tenant)
    job = rows.claim(rows.server())
    arrival = submit.submit(
        submit.new_job(
            job_id="job_free",
            tenant=tenant,
            offers=[submit.Offer("chaos")],
            params=template.read_params(),
            seed=1,
            max_attempts=3,
            deadline_seconds=60,
            usual_cap=10_000,
        )
    )
    with rows.engine.begin() as other, rows.engine.begin() as connection:
        other.execute(budget.lock_tenant(tenant))
        connection.execute(text("SET LOCAL lock_timeout = 100"))
        for statement in (arrival, claimed.commit(job.id, job.fence, artifacts=[], warnings=[], cost=0.0)):
            assert connection.execute(statement).first() is not None


def test_a_redrive_reserves_again_or_is_refused(rows, tenant, job):
    ENDS["fail"](rows, job)
    rows.execute(redrive.again(job.id, "job_again", pending=False))
    assert (0.0, PRICE) == money(rows, tenant)
    rows.execute(set_budget(tenant, PRICE))
    with pytest.raises(DBAPIError) as caught:
        rows.execute(redrive.again(job.id, "job_third", pending=False))
    assert budget.SPENT == state_of(caught.value)


class TestKeys:
    """The budget of a key, beside that of its tenant."""

    @pytest.fixture
    def key(self, rows, tenant):
        rows.execute(add_key("key_1", tenant, name="a", digest="d", budget_usd=2 * PRICE))
        return "key_1"

    def money(self, rows):
        return tuple(rows.execute(select(api_keys.c.spent_usd, api_keys.c.reserved_usd))[0])

    def submit(self, rows, tenant, key):
        with ThreadPoolExecutor(4) as threads:
            return [future.exception() for future in [threads.submit(self.one, rows, tenant, key) for _ in range(4)]]

    def one(self, rows, tenant, key):
        return rows.submit(tenant, price_usd=PRICE, key_id=key)

    def test_it_is_never_exceeded_by_submits_at_once(self, rows, tenant, key):
        errors = [error for error in self.submit(rows, tenant, key) if error is not None]
        assert [(budget.SPENT, "key")] * 2 == [(state_of(e), e.orig.diag.message_primary) for e in errors]
        assert (0.0, 2 * PRICE) == self.money(rows) == money(rows, tenant)
        assert rows.submit(tenant, price_usd=PRICE).price_usd == PRICE, "another key is not concerned"

    def test_a_commit_spends_and_every_other_end_releases(self, rows, tenant, key):
        first, second = (self.one(rows, tenant, key) for _ in range(2))
        commit(rows, rows.claim(rows.server()))
        rows.cancel(second)
        assert (PRICE, 0.0) == self.money(rows)
        assert PRICE == rows.scalar(tenant_jobs.balance(tenant, key))
        assert rows.job(first).cost == PRICE

    def test_the_less_of_both_budgets_is_the_balance(self, rows, tenant, key):
        rows.execute(set_budget(tenant, PRICE))
        assert PRICE == rows.scalar(tenant_jobs.balance(tenant, key))
        rows.execute(set_budget(tenant, None))
        assert 2 * PRICE == rows.scalar(tenant_jobs.balance(tenant, key))
        assert rows.scalar(tenant_jobs.balance(tenant)) is None

    def test_a_wrong_reservation_is_corrected(self, rows, tenant, key):
        self.one(rows, tenant, key)
        rows.execute(api_keys.update().values(reserved_usd=1.0))
        assert [(tenant,)] == [tuple(row) for row in rows.execute(budget.miscounted())]
        assert [(key,)] == [tuple(row) for row in rows.execute(budget.recount_keys(tenant))]
        assert (0.0, PRICE) == self.money(rows)


@pytest.mark.contract("F23")
@pytest.mark.parametrize(("metered", "cost"), [(None, PRICE), (0.01, 0.01), (5.0, PRICE)])
def test_a_metered_job_costs_what_it_used_and_no_more(rows, tenant, job, metered, cost):
    """GPU seconds feed the budget, and the reserved price is their bound."""
    used = DeviceTime(gpu_seconds=1.5, load_seconds=0.25)
    rows.execute(claimed.commit(job.id, job.fence, artifacts=[], warnings=[], cost=9.0, metered=metered, used=used))
    done = rows.job(job)
    assert (cost, 1.5, 0.25) == (done.cost, done.gpu_seconds, done.load_seconds)
    assert (cost, 0.0) == money(rows, tenant)


def test_each_attempt_adds_what_it_used(rows, tenant, job):
    used = DeviceTime(1.0, 0.5)
    rows.execute(claimed.release(job.id, job.fence, used))
    server = rows.server("gpu-2")
    again = rows.claim(server)
    rows.execute(claimed.lose(again.id, again.fence, backoff=0.0, used=used))
    last = rows.claim(server)
    rows.cancel(last)
    rows.execute(claimed.note_use(last.id, last.fence, used))
    rows.execute(claimed.note_use(last.id, last.fence - 1, used))
    assert (3.0, 1.5) == (rows.job(last).gpu_seconds, rows.job(last).load_seconds)


def test_a_reservation_is_never_negative(rows, tenant, job):
    """A wrong sum does not keep a job from its end; nothing may write such a sum."""
    rows.execute(tenants.update().values(reserved_usd=0.01))
    commit(rows, job)
    assert (PRICE, 0.0) == money(rows, tenant)
    with pytest.raises(IntegrityError):
        rows.execute(tenants.update().values(reserved_usd=-0.01))


class TestRecount:
    """The correction of what versions before leave."""

    def recount(self, rows):
        """What the CPU worker does; the tenants whose reservation was wrong."""
        corrected = []
        for (tenant,) in rows.execute(budget.miscounted()):
            with rows.engine.begin() as connection:
                connection.execute(budget.lock_tenant(tenant))
                corrected += connection.execute(budget.recount(tenant)).scalars().all()
        return corrected

    @pytest.mark.long
    def test_a_right_reservation_is_left_alone(self, rows, tenant, job):
        rows.tenant("without jobs")
        assert [] == rows.execute(budget.miscounted()) == self.recount(rows)

    def test_what_a_worker_of_before_leaves_is_released(self, rows, tenant, job):
        """It completes the job and charges the tenant, and does not know of the reservation."""
        rows.submit(tenant, price_usd=1.0)
        rows.set(job, status="completed", finished_at=func.now(), lease_until=None, cost=PRICE)
        rows.execute(tenants.update().where(tenants.c.id == tenant).values(spent_usd=PRICE))
        assert (PRICE, 1.0 + PRICE) == money(rows, tenant)
        assert [tenant] == self.recount(rows)
        assert (PRICE, 1.0) == money(rows, tenant)

    def test_a_job_that_an_api_of_before_submitted_is_charged(self, rows, tenant, job):
        rows.set(job, price_usd=None)
        assert [tenant] == self.recount(rows)
        assert (0.0, 0.0) == money(rows, tenant)
        commit(rows, job, cost=0.25)
        assert (0.25, (0.25, 0.0)) == (rows.job(job).cost, money(rows, tenant))

    @pytest.mark.long
    def test_30_it_is_exact_while_jobs_come_and_go(self, rows, tenant, full: bool):
        rows.execute(set_budget(tenant, 1000.0))
        number = 400 if full else 40

        def come_and_go(_):
            for _ in range(number):
                rows.cancel(rows.submit(tenant, price_usd=PRICE))

        def disturb(_):
            for _ in range(number):
                rows.execute(tenants.update().where(tenants.c.id == tenant).values(reserved_usd=9.0))
                self.recount(rows)

        with ThreadPoolExecutor(4) as pool:
            tasks = [pool.submit(come_and_go, None) for _ in range(3)]
            pool.submit(disturb, None).result()
            for task in tasks:
                task.result()
        assert (0.0, 0.0) == money(rows, tenant)
