"""The claim: which job a worker runs next, and that no two workers ever run the same one."""

from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest
from sqlalchemy import func, select, text, update

from core.ids import new_id
from jobs.job import JobStatus
from jobs.schema.tables import jobs, servers, tenants
from jobs.statements.clauses import ago
from jobs.statements.queue import claimed
from jobs.statements.queue.claim import EQUAL_TO, Claimant, arguments, claim
from jobs.statements.queue.claim_function import PLANNING, claim_function
from jobs.statements.servers import leave
from tests.support.rows.plans import rows_read, scans, scans_of_function


def order(rows, claimant):
    """Ids in the order in which the claimant gets them; each ends before the next is claimed."""
    ids = []
    while (job := rows.claim(claimant)) is not None:
        rows.complete(job)
        ids.append(job.id)
    return ids


def fill(rows, job, count):
    """As many copies of a waiting job."""
    (row,) = rows.execute(jobs.select().where(jobs.c.id == job.id))
    with rows.engine.begin() as connection:
        connection.execute(jobs.insert(), [{**row._mapping, "id": new_id("job")} for _ in range(count)])


def test_a_claim_names_the_worker_and_the_end_of_the_lease(rows):
    queued = rows.submit(rows.tenant())
    claimant = rows.server("gpu-1")
    job = rows.claim(claimant, lease_seconds=30)
    assert (queued.id, JobStatus.PROCESSING, 1, 1) == (job.id, job.status, job.fence, job.attempt)
    assert ("gpu-1", claimant.incarnation, 0.0) == (job.worker, job.incarnation, job.progress)
    assert 30 == pytest.approx((job.lease_until - job.started_at).total_seconds(), abs=1)
    assert queued.event_seq + 1 == job.event_seq
    assert rows.claim(claimant) is None


def test_first_come_first_served(rows):
    tenant, claimant = rows.tenant(), rows.server()
    assert [rows.submit(tenant).id for _ in range(5)] == order(rows, claimant)


def test_priority_goes_first(rows):
    tenant, claimant = rows.tenant(), rows.server()
    by_priority = {priority: rows.submit(tenant, priority=priority).id for priority in (3, 0, 9, 5)}
    assert [by_priority[priority] for priority in (9, 5, 3, 0)] == order(rows, claimant)


class TestWarm:
    """A model in memory is preferred while the worker's stay with it lasts."""

    def claimant(self, rows, *, stayed=0, cold=("cold",)):
        claimant = rows.server(serves=("warm", *cold), resident=("warm",))
        rows.execute(update(servers).values(loaded_at=ago(stayed)))
        return claimant

    @pytest.mark.contract("F21")
    def test_a_resident_model_goes_before_an_older_job(self, rows):
        tenant = rows.tenant()
        cold, warm = rows.submit(tenant, model="cold"), rows.submit(tenant, model="warm")
        assert [warm.id, cold.id] == order(rows, self.claimant(rows, stayed=59))

    @pytest.mark.contract("F21")
    def test_not_once_the_stay_is_over(self, rows):
        tenant = rows.tenant()
        cold, warm = rows.submit(tenant, model="cold"), rows.submit(tenant, model="warm")
        assert [cold.id, warm.id] == order(rows, self.claimant(rows, stayed=61))

    def test_a_stay_begins_with_the_loading_of_a_model(self, rows):
        tenant = rows.tenant()
        cold, warm = rows.submit(tenant, model="cold"), rows.submit(tenant, model="warm")
        claimant = self.claimant(rows, stayed=61)
        assert cold.id == rows.claim(claimant).id
        later = [rows.submit(tenant, model="warm"), rows.submit(tenant, model="cold")]
        loaded = msgspec.structs.replace(claimant, resident=("cold",))
        assert [later[1].id, warm.id, later[0].id] == order(rows, loaded)

    def test_a_server_that_has_loaded_nothing_stays_from_its_start(self, rows):
        tenant = rows.tenant()
        cold, warm = rows.submit(tenant, model="cold"), rows.submit(tenant, model="warm")
        claimant = self.claimant(rows)
        rows.execute(update(servers).values(loaded_at=None, started_at=ago(61)))
        assert [cold.id, warm.id] == order(rows, claimant)

    def test_a_restart_begins_it_anew(self, rows):
        """What the last incarnation loaded, long ago, is not what this one has in memory."""
        tenant, models = rows.tenant(), ("cold", "warm")
        cold, warm = rows.submit(tenant, model="cold"), rows.submit(tenant, model="warm")
        first = rows.server(serves=models)
        rows.execute(update(servers).values(loaded_at=ago(3600)))
        rows.execute(leave(first.server_id, first.incarnation))
        assert [warm.id, cold.id] == order(rows, rows.server(serves=models, resident=("warm",)))

    @pytest.mark.contract("F21")
    def test_a_stay_is_shorter_when_more_models_wait(self, rows):
        tenant = rows.tenant()
        first, second = rows.submit(tenant, model="one"), rows.submit(tenant, model="two")
        warm = rows.submit(tenant, model="warm")
        assert [first.id, warm.id, second.id] == order(rows, self.claimant(rows, stayed=31, cold=("one", "two")))

    def test_not_before_a_higher_priority(self, rows):
        tenant = rows.tenant()
        cold, warm = rows.submit(tenant, model="cold", priority=6), rows.submit(tenant, model="warm")
        assert [cold.id, warm.id] == order(rows, self.claimant(rows))


class TestFairShare:
    """A tenant with fewer running jobs goes first, then the one that was served longest ago."""

    def test_tenants_take_turns_while_their_jobs_run(self, rows):
        greedy, modest = rows.tenant("greedy"), rows.tenant("modest")
        for _ in range(4):
            rows.submit(greedy)
        for _ in range(2):
            rows.submit(modest)
        claimant = rows.server()
        running = [rows.claim(claimant).tenant for _ in range(6)]
        assert [greedy, modest, greedy, modest, greedy, greedy] == running

    def test_tenants_take_turns_on_a_server_of_one_job_at_a_time(self, rows):
        greedy, modest = rows.tenant("greedy"), rows.tenant("modest")
        queue = [rows.submit(greedy) for _ in range(4)], [rows.submit(modest) for _ in range(2)]
        mixed = [queue[0][0], queue[1][0], queue[0][1], queue[1][1], queue[0][2], queue[0][3]]
        assert [job.id for job in mixed] == order(rows, rows.server())

    @pytest.mark.long
    def test_ten_jobs_behind_a_thousand_take_twice_their_time(self, rows):
        greedy, modest = rows.tenant("greedy"), rows.tenant("modest")
        fill(rows, rows.submit(greedy), 999)
        claimant = rows.server()
        rows.complete(rows.claim(claimant))
        ten = {rows.submit(modest).id for _ in range(10)}
        served = []
        while not ten <= set(served):
            job = rows.claim(claimant)
            rows.complete(job)
            served.append(job.id)
        assert len(served) <= 20


class TestCap:
    """A tenant never runs more jobs than it may."""

    def test_a_tenant_at_its_cap_is_left_out(self, rows):
        capped, other = rows.tenant("capped"), rows.tenant("other")
        rows.execute(update(tenants).where(tenants.c.id == capped).values(max_running_jobs=1))
        jobs_of = [rows.submit(capped, priority=9) for _ in range(2)], rows.submit(other, priority=0)
        claimant = rows.server()
        running = [rows.claim(claimant), rows.claim(claimant)]
        assert [jobs_of[0][0].id, jobs_of[1].id] == [job.id for job in running]
        assert rows.claim(claimant) is None
        rows.complete(running[0])
        assert jobs_of[0][1].id == rows.claim(claimant).id

    def test_claimers_at_the_same_time_do_not_exceed_it_together(self, rows):
        tenant = rows.tenant()
        rows.execute(update(tenants).values(max_running_jobs=3))
        for _ in range(40):
            rows.submit(tenant)
        claimants = [rows.server(f"gpu-{number}") for number in range(8)]
        with ThreadPoolExecutor(8) as pool:
            for _ in range(3):
                list(pool.map(rows.claim, claimants))
        assert 3 == rows.scalar(select(func.count()).where(jobs.c.status == JobStatus.PROCESSING))


class TestBegun:
    """A job that was begun before goes before those of its tenant that were not."""

    def test_a_released_job_goes_first(self, rows):
        tenant, claimant = rows.tenant(), rows.server()
        first, second = rows.submit(tenant), rows.submit(tenant)
        job = rows.claim(claimant)
        rows.execute(claimed.release(job.id, job.fence))
        assert [first.id, second.id] == order(rows, claimant)

    def test_not_while_it_is_to_wait(self, rows):
        tenant, claimant = rows.tenant(), rows.server()
        first, second = rows.submit(tenant), rows.submit(tenant)
        job = rows.claim(claimant)
        rows.execute(claimed.lose(job.id, job.fence, backoff=60.0))
        assert [second.id] == order(rows, claimant)
        rows.set(first, available_at=ago(1))
        assert [first.id] == order(rows, claimant)


class TestWhoMay:
    """A worker takes only what it may."""

    @pytest.mark.contract("F16")
    def test_a_pinned_job_waits_for_its_server(self, rows):
        job = rows.submit(rows.tenant(), server_id="gpu-2")
        assert rows.claim(rows.server("gpu-1")) is None
        assert job.id == rows.claim(rows.server("gpu-2")).id

    @pytest.mark.contract("F16")
    def test_a_preferred_server_is_waited_for_until_spill_at(self, rows):
        job = rows.submit(rows.tenant(), server_id="gpu-2", spill_seconds=60.0)
        other = rows.server("gpu-1")
        assert rows.claim(other) is None
        rows.set(job, spill_at=ago(1))
        assert rows.claim(rows.server("gpu-3", dedicated=True)) is None
        assert job.id == rows.claim(other).id

    def test_a_preferred_server_itself_takes_it_at_once(self, rows):
        job = rows.submit(rows.tenant(), server_id="gpu-2", spill_seconds=60.0)
        assert job.id == rows.claim(rows.server("gpu-2", dedicated=True)).id

    def test_a_server_takes_pinned_and_unpinned_jobs(self, rows):
        tenant = rows.tenant()
        ids = [rows.submit(tenant).id, rows.submit(tenant, server_id="gpu-1").id]
        assert ids == order(rows, rows.server("gpu-1"))

    def test_a_dedicated_server_takes_only_pinned_jobs(self, rows):
        tenant = rows.tenant()
        rows.submit(tenant)
        pinned = rows.submit(tenant, server_id="gpu-1")
        assert [pinned.id] == order(rows, rows.server("gpu-1", dedicated=True))

    def test_a_model_that_it_does_not_serve(self, rows):
        rows.submit(rows.tenant(), model="other")
        assert rows.claim(rows.server(serves=("chaos",))) is None
        assert rows.claim(rows.server("gpu-2", serves=())) is None

    @pytest.mark.parametrize("desired", ["cordoned", "draining"])
    def test_a_server_that_is_not_active_gets_none(self, rows, desired):
        rows.submit(rows.tenant())
        claimant = rows.server()
        rows.execute(update(servers).values(desired=desired))
        assert rows.claim(claimant) is None
        rows.execute(update(servers).values(desired="active"))
        assert rows.claim(claimant) is not None

    def test_an_unknown_server_gets_none(self, rows):
        rows.submit(rows.tenant())
        assert rows.claim(Claimant(server_id="unknown", incarnation=1, models=("chaos",))) is None

    def test_an_incarnation_that_was_followed_by_another_gets_none(self, rows):
        rows.submit(rows.tenant())
        old = rows.server(lease_seconds=-1.0)
        new = rows.server()
        assert rows.claim(old) is None
        assert rows.claim(new) is not None

    def test_a_server_whose_own_lease_ran_out_gets_none(self, rows):
        rows.submit(rows.tenant())
        assert rows.claim(rows.server(lease_seconds=-1.0)) is None

    def test_a_server_that_has_left_gets_none(self, rows):
        rows.submit(rows.tenant())
        claimant = rows.server()
        rows.execute(leave(claimant.server_id, claimant.incarnation))
        assert rows.claim(claimant) is None

    @pytest.mark.parametrize("status", [status for status in JobStatus if status is not JobStatus.QUEUED])
    def test_only_queued_jobs_are_taken(self, rows, status):
        rows.set(rows.submit(rows.tenant()), status=status)
        assert rows.claim(rows.server()) is None

    def test_a_job_that_is_not_available_yet_waits(self, rows):
        job = rows.submit(rows.tenant())
        rows.set(job, available_at=func.now() + text("interval '1 minute'"))
        assert rows.claim(rows.server()) is None

    def test_a_job_past_its_deadline_is_not_started(self, rows):
        rows.submit(rows.tenant(), deadline_seconds=-1.0)
        assert rows.claim(rows.server()) is None


def test_two_workers_never_get_the_same_job(rows, full: bool):
    """Eight claimers empty a queue, of 400 jobs at full size; every job is claimed once."""
    tenant = rows.tenant()
    submitted = {rows.submit(tenant, priority=number % 10).id for number in range(400 if full else 100)}
    claimants = [rows.server(f"gpu-{number}") for number in range(8)]

    def work(claimant):
        taken = []
        while (job := rows.claim(claimant)) is not None:
            taken.append(job.id)
        return taken

    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(work, claimants))
    counted = Counter(id_ for ids in taken for id_ in ids)
    assert submitted == counted.keys()
    assert {1} == set(counted.values())
    assert [] == rows.execute(jobs.select().where((jobs.c.fence != 1) | (jobs.c.attempt != 1)))
    for claimant, ids in zip(claimants, taken, strict=True):
        assert all(row.worker == claimant.server_id for row in rows.execute(jobs.select().where(jobs.c.id.in_(ids))))


class TestEqual:
    """A second claim for a run that was begun: the next job of the order if it is equal, else none."""

    def test_equal_jobs_of_several_tenants_come_in_their_order(self, rows):
        claimant, many, few = rows.server(), rows.tenant("many"), rows.tenant("few")
        first = rows.submit(many)
        others = [rows.submit(many, prompt="a green square", labels={"shop": "1"}, output_format="png", priority=5)]
        others = [rows.submit(few, prompt="a blue star", callback_url="https://shop.example/hook"), *others]
        claimed_ = rows.claim(claimant)
        assert first.id == claimed_.id
        assert [job.id for job in others] == [rows.claim(claimant, equal_to=claimed_).id for _ in others]
        assert rows.claim(claimant, equal_to=claimed_) is None

    @pytest.mark.matrix
    @pytest.mark.parametrize(
        "other",
        [
            {"width": 512},
            {"num_inference_steps": 9},
            {"guidance_scale": 2.0},
            {"quality": "fast"},
            {"negative_prompt": "blur"},
            {"num_images": 2},
            {"input_image": "upl_1"},
            {"model": "another"},
        ],
        ids=lambda other: next(iter(other)),
    )
    def test_none_is_overtaken_by_an_equal_one(self, rows, other):
        tenant, claimant = rows.tenant(), rows.server(serves=("chaos", "another"))
        rows.submit(tenant)
        between, equal = rows.submit(tenant, **other), rows.submit(tenant)
        rows.set(between, status="queued", queued_at=func.now())  # one with an input waits for that
        first = rows.claim(claimant)
        assert rows.claim(claimant, equal_to=first) is None
        assert ("queued", 0) == (rows.job(between).status, rows.job(between).fence)
        assert [between.id, equal.id] == order(rows, claimant)

    def test_a_job_of_higher_priority_is_next(self, rows):
        tenant, claimant = rows.tenant(), rows.server()
        rows.submit(tenant)
        first = rows.claim(claimant)
        rows.submit(tenant)
        urgent = rows.submit(tenant, priority=9, width=512)
        assert rows.claim(claimant, equal_to=first) is None
        assert urgent.id == rows.claim(claimant).id

    def test_a_job_that_was_begun_before_is_alone(self, rows):
        tenant, claimant = rows.tenant(), rows.server()
        rows.submit(tenant)
        again = rows.claim(claimant)
        rows.change(claimed.release(again.id, again.fence))
        rows.submit(tenant, priority=9)
        first = rows.claim(claimant)
        assert rows.claim(claimant, equal_to=first) is None
        assert again.id == rows.claim(claimant).id

    def test_a_job_that_makes_another_again_is_alone(self, rows):
        tenant, claimant = rows.tenant(), rows.server()
        rows.submit(tenant)
        first = rows.claim(claimant)
        rows.set(rows.submit(tenant), origin={"reproduces": first.id})
        assert rows.claim(claimant, equal_to=first) is None

    def test_a_tenant_at_its_cap_has_no_second_job_in_the_run(self, rows):
        tenant, claimant = rows.tenant(), rows.server()
        rows.execute(update(tenants).values(max_running_jobs=1))
        first, waits = rows.submit(tenant), rows.submit(tenant)
        assert rows.claim(claimant, equal_to=rows.claim(claimant)) is None
        assert first.id != waits.id

    def test_the_plain_statement_does_the_same(self, rows):
        tenant, claimant = rows.tenant(), rows.server()
        rows.submit(tenant)
        statement = claim(claimant, lease_seconds=30.0)
        first = rows.change(statement)
        second, other = rows.submit(tenant), rows.submit(tenant, width=512)
        assert second.id == rows.change(statement.params({EQUAL_TO: first.id})).id
        assert rows.change(statement.params({EQUAL_TO: first.id})) is None
        assert other.id == rows.change(statement).id


def test_a_claimer_does_not_wait_for_another_ones_transaction(rows):
    tenant, claimant = rows.tenant(), rows.server()
    first, second = rows.submit(tenant), rows.submit(tenant)
    with rows.engine.begin() as other:
        other.execute(jobs.select().where(jobs.c.id == first.id).with_for_update())
        assert second.id == rows.claim(claimant).id
        assert rows.claim(claimant) is None
    assert first.id == rows.claim(claimant).id


def deep_queue(rows):
    """Tenants with many jobs each, most of them delayed or pinned elsewhere."""
    tenants_ = [rows.tenant(f"tenant-{number}") for number in range(4)]
    for tenant in tenants_:
        for model in DEEP:
            fill(rows, rows.submit(tenant, model=model), 100)
            fill(rows, rows.submit(tenant, model=model, priority=9, server_id="gone"), 100)
            delayed = rows.submit(tenant, model=model, priority=9)
            rows.set(delayed, available_at=func.now() + text("interval '1 hour'"))
            fill(rows, delayed, 100)


DEEP = ("one", "two", "three")


def assert_little_was_read(found):
    """A claim touches some rows of each tenant and model at most, whatever waits, is delayed or pinned elsewhere."""
    assert [] == [scan for scan in found if scan["Node Type"] == "Seq Scan"]
    assert 0 < sum(map(rows_read, found)) < 200


@pytest.mark.long
def test_a_deep_queue_is_not_read(rows):
    deep_queue(rows)
    claimant = rows.server(serves=DEEP, resident=("two",))
    rows.execute(text("ANALYZE"))
    assert_little_was_read(scans(rows.engine, claim(claimant, lease_seconds=30.0)))


def test_a_deep_queue_is_not_read_by_the_plan_of_a_short_one(rows):
    """Its plan is made at the first claim of a connection, and kept however the queue has grown since."""
    claimant, tenant = rows.server(serves=DEEP, resident=("two",)), rows.tenant()
    for model in DEEP:
        rows.submit(tenant, model=model)
    rows.execute(text("ANALYZE"))
    given = arguments(claimant, 30.0, 60.0)
    function = claim_function(dedicated=False)
    found = scans_of_function(rows.engine, function, given, lambda: deep_queue(rows), planning=PLANNING)
    assert_little_was_read(found)


@pytest.mark.long
def test_a_second_claim_for_a_run_reads_as_little(rows):
    claimant, tenant = rows.server(serves=DEEP, resident=("two",)), rows.tenant()
    rows.submit(tenant, model="two")
    first = rows.claim(claimant)

    def deep() -> Mapping[str, Any]:
        deep_queue(rows)
        return arguments(claimant, 30.0, 60.0) | {EQUAL_TO: first.id}

    function = claim_function(dedicated=False)
    found = scans_of_function(rows.engine, function, arguments(claimant, 30.0, 60.0), deep, planning=PLANNING)
    assert_little_was_read(found)
