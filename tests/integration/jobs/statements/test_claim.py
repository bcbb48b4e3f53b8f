"""The claim: which job a worker runs next, and that no two workers ever run the same one."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, text, update

from jobs.job import JobStatus
from jobs.statements.claim import Claimant
from jobs.statements.fleet import leave
from jobs.tables import jobs, servers


def order(rows, claimant):
    """Ids in the order in which the claimant gets them; each ends before the next is claimed."""
    ids = []
    while (job := rows.claim(claimant)) is not None:
        rows.complete(job)
        ids.append(job.id)
    return ids


def aged(rows, job, seconds):
    rows.set(job, created_at=func.now() - text(f"interval '{seconds} seconds'"))


def test_a_claim_says_who_runs_it_and_until_when(rows):
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
    """A model in memory is preferred, but only up to a bounded wait."""

    def claimant(self, rows):
        return rows.server(serves=("warm", "cold"), resident=("warm",))

    def test_a_resident_model_goes_before_an_older_job(self, rows):
        tenant = rows.tenant()
        cold, warm = rows.submit(tenant, model="cold"), rows.submit(tenant, model="warm")
        assert [warm.id, cold.id] == order(rows, self.claimant(rows))

    def test_not_before_one_that_has_waited_for_the_bound(self, rows):
        tenant = rows.tenant()
        cold, warm = rows.submit(tenant, model="cold"), rows.submit(tenant, model="warm")
        aged(rows, cold, 31)
        assert [cold.id, warm.id] == order(rows, self.claimant(rows))

    def test_among_those_that_waited_for_it_residence_counts_again(self, rows):
        tenant = rows.tenant()
        cold, warm = rows.submit(tenant, model="cold"), rows.submit(tenant, model="warm")
        aged(rows, cold, 60)
        aged(rows, warm, 40)
        assert [warm.id, cold.id] == order(rows, self.claimant(rows))

    def test_not_before_a_higher_priority(self, rows):
        tenant = rows.tenant()
        cold, warm = rows.submit(tenant, model="cold", priority=6), rows.submit(tenant, model="warm")
        assert [cold.id, warm.id] == order(rows, self.claimant(rows))


class TestFairShare:
    """A tenant with fewer running jobs goes first."""

    def test_tenants_take_turns_while_their_jobs_run(self, rows):
        greedy, modest = rows.tenant("greedy"), rows.tenant("modest")
        for _ in range(4):
            rows.submit(greedy)
        for _ in range(2):
            rows.submit(modest)
        claimant = rows.server()
        running = [rows.claim(claimant).tenant for _ in range(6)]
        assert [greedy, modest, greedy, modest, greedy, greedy] == running

    def test_one_that_waited_for_the_bound_goes_before_fairness(self, rows):
        greedy, modest = rows.tenant("greedy"), rows.tenant("modest")
        claimant = rows.server()
        rows.submit(greedy)
        rows.claim(claimant)
        old, young = rows.submit(greedy), rows.submit(modest)
        aged(rows, old, 31)
        assert [old.id, young.id] == order(rows, claimant)


class TestWhoMay:
    """A worker takes only what it may."""

    def test_a_pinned_job_waits_for_its_server(self, rows):
        job = rows.submit(rows.tenant(), server_id="gpu-2")
        assert rows.claim(rows.server("gpu-1")) is None
        assert job.id == rows.claim(rows.server("gpu-2")).id

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
        assert rows.claim(Claimant(server_id="nobody", incarnation=1, models=("chaos",))) is None

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


def test_two_workers_never_get_the_same_job(rows):
    """Eight claimers empty a queue of 400 jobs; every job is claimed once."""
    tenant = rows.tenant()
    submitted = {rows.submit(tenant, priority=number % 10).id for number in range(400)}
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


def test_a_claimer_does_not_wait_for_another_ones_transaction(rows):
    tenant, claimant = rows.tenant(), rows.server()
    first, second = rows.submit(tenant), rows.submit(tenant)
    with rows.engine.begin() as other:
        other.execute(jobs.select().where(jobs.c.id == first.id).with_for_update())
        assert second.id == rows.claim(claimant).id
        assert rows.claim(claimant) is None
    assert first.id == rows.claim(claimant).id
