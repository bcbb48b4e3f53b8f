"""The position of a waiting job in the queue, and the reason why it waits."""

import pytest
from sqlalchemy import func, text, update

from core.ids import new_id
from jobs.schema.tables import jobs, servers, tenants
from jobs.statements.clauses import ago
from jobs.statements.queue import claimed, position
from tests.support.rows.looks import seen
from tests.support.rows.plans import rows_read, scans


def place(rows, job):
    return rows.scalar(position.queue_position(rows.job(job)))


class TestPosition:
    def test_it_is_the_order_of_the_claim(self, rows):
        tenant = rows.tenant()
        low = rows.submit(tenant, priority=1)
        first, second = rows.submit(tenant), rows.submit(tenant)
        high = rows.submit(tenant, priority=9)
        rows.submit(tenant, model="another")
        rows.submit(tenant, server_id="gpu-1")
        assert [3, 1, 2, 0] == [place(rows, job) for job in (low, first, second, high)]

    def test_tenants_take_turns(self, rows):
        greedy, modest = rows.tenant("greedy"), rows.tenant("modest")
        first, *_, last = [rows.submit(greedy) for _ in range(6)]
        two = [rows.submit(modest) for _ in range(2)]
        assert [0, 1, 3, 7] == [place(rows, job) for job in (first, *two, last)]
        claimant, taken = rows.server(), []
        while (job := rows.claim(claimant)) is not None:
            rows.complete(job)
            taken.append(job.id)
        assert [0, 1, 3, 7] == [taken.index(job.id) for job in (first, *two, last)]

    def test_one_that_was_begun_is_ahead_of_its_tenants_others(self, rows):
        tenant = rows.tenant()
        first, second = rows.submit(tenant), rows.submit(tenant)
        job = rows.claim(rows.server())
        rows.execute(claimed.release(job.id, job.fence))
        assert [0, 1] == [place(rows, first), place(rows, second)]

    def test_delayed_jobs_and_tenants_at_their_cap_are_not_ahead(self, rows):
        capped, other = rows.tenant("capped"), rows.tenant("other")
        rows.submit(capped, priority=9)
        rows.set(rows.submit(other, priority=9), available_at=func.now() + text("interval '1 hour'"))
        mine = rows.submit(other)
        assert 1 == place(rows, mine)
        rows.submit(capped, priority=9)
        rows.claim(rows.server())
        rows.execute(update(tenants).where(tenants.c.id == capped).values(max_running_jobs=1))
        assert 0 == place(rows, mine)

    def test_a_pinned_job_counts_both_partitions_of_its_server(self, rows):
        tenant, other = rows.tenant(), rows.tenant("other")
        rows.submit(tenant, server_id="gpu-2")
        waiting = [rows.submit(tenant), rows.submit(tenant, server_id="gpu-1")]
        waiting += [rows.submit(tenant, server_id="gpu-1", spill_seconds=0.0), rows.submit(other, priority=6)]
        last = rows.submit(tenant, server_id="gpu-1")
        assert [2, 4] == [place(rows, waiting[1]), place(rows, last)]
        claimant, taken = rows.server("gpu-1"), []
        while (job := rows.claim(claimant)) is not None:
            rows.complete(job)
            taken.append(job.id)
        assert [2, 4] == [taken.index(job.id) for job in (waiting[1], last)]

    def test_on_a_dedicated_server_only_what_asks_for_it_is_ahead(self, rows):
        tenant = rows.tenant()
        rows.submit(tenant, priority=6)
        pinned = [rows.submit(tenant, server_id="gpu-1") for _ in range(2)]
        rows.server("gpu-1")
        rows.execute(update(servers).values(dedicated=True))
        assert [0, 1] == [place(rows, job) for job in pinned]

    def test_a_job_of_any_server_leaves_out_those_that_wait_for_one(self, rows):
        tenant = rows.tenant()
        rows.submit(tenant, server_id="gpu-1")
        assert 0 == place(rows, rows.submit(tenant))

    def test_it_is_counted_to_a_limit(self, rows, monkeypatch):
        monkeypatch.setattr(position, "POSITION_LIMIT", 3)
        last = [rows.submit(rows.tenant()) for _ in range(6)][-1]
        assert 3 == place(rows, last)


@pytest.mark.contract("F17")
class TestReason:
    """What a waiting job waits for."""

    def reason(self, rows, job):
        return seen(rows, job).forecast.reason

    def test_inputs(self, rows):
        job = rows.pending(rows.tenant(), "http://x/a.png")
        rows.server()
        assert "inputs" == self.reason(rows, job)

    def test_inputs_are_not_fetched_for_a_model_without_a_server(self, rows):
        job = rows.pending(rows.tenant(), "http://x/a.png")
        rows.server(serves=["another"])
        assert "no_server_for_model" == self.reason(rows, job)

    def test_a_pause_after_a_lost_attempt(self, rows):
        job = rows.submit(rows.tenant())
        rows.server()
        rows.set(job, available_at=func.now() + text("interval '1 minute'"))
        assert "backoff" == self.reason(rows, job)

    def test_a_server_that_is_away(self, rows):
        job = rows.submit(rows.tenant(), server_id="gpu-2")
        rows.server("gpu-1")
        assert "server_offline" == self.reason(rows, job)
        rows.server("gpu-2", lease_seconds=-1.0)
        assert "server_offline" == self.reason(rows, job)
        rows.server("gpu-2")
        assert "queue" == self.reason(rows, job)

    def test_one_that_is_preferred_is_waited_for_only_so_long(self, rows):
        job = rows.submit(rows.tenant(), server_id="gpu-2", spill_seconds=60.0)
        rows.server("gpu-1")
        assert "server_offline" == self.reason(rows, job)
        rows.set(job, spill_at=ago(1))
        assert "queue" == self.reason(rows, job)

    @pytest.mark.parametrize("server_id", [None, "gpu-1"])
    def test_servers_that_are_cordoned(self, rows, server_id):
        job = rows.submit(rows.tenant(), server_id=server_id)
        rows.server("gpu-1")
        rows.execute(update(servers).values(desired="cordoned"))
        assert "server_cordoned" == self.reason(rows, job)

    @pytest.mark.parametrize("server_id", [None, "gpu-1"])
    def test_servers_whose_store_is_away(self, rows, server_id):
        job = rows.submit(rows.tenant(), server_id=server_id)
        rows.server("gpu-1")
        rows.execute(update(servers).values(state="store_away"))
        assert "store_away" == self.reason(rows, job)
        rows.server("gpu-2")
        assert ("queue" if server_id is None else "store_away") == self.reason(rows, job)

    @pytest.mark.parametrize("server_id", [None, "gpu-1"])
    def test_a_model_that_no_server_serves(self, rows, server_id):
        job = rows.submit(rows.tenant(), server_id=server_id)
        rows.server("gpu-1", serves=("another",))
        assert "no_server_for_model" == self.reason(rows, job)

    def test_a_server_of_others(self, rows):
        job = rows.submit(rows.tenant())
        rows.server("gpu-1")
        rows.execute(update(servers).values(dedicated=True))
        assert "no_server_for_model" == self.reason(rows, job)

    def test_as_many_running_jobs_as_the_tenant_may_have(self, rows):
        tenant, claimant = rows.tenant(), rows.server()
        rows.submit(tenant)
        rows.claim(claimant)
        job = rows.submit(tenant)
        rows.execute(update(tenants).values(max_running_jobs=1))
        assert "tenant_running_cap" == self.reason(rows, job)

    def test_servers_that_are_busy(self, rows):
        job = rows.submit(rows.tenant())
        rows.server("gpu-1")
        rows.execute(update(servers).values(current_job="job_1"))
        assert "server_busy" == self.reason(rows, job)
        rows.server("gpu-2")
        assert "queue" == self.reason(rows, job)


@pytest.mark.matrix
@pytest.mark.parametrize("server_id", [None, "gpu-1"])
def test_a_deep_queue_is_not_read(rows, server_id):
    """A place is counted among a thousand rows at most, whatever else waits."""
    tenant = rows.tenant()
    job = rows.submit(tenant, priority=0, server_id=server_id)
    for priority, delay in ((5, 0), (9, 3600)):
        one = rows.submit(tenant, priority=priority)
        rows.set(one, available_at=func.now() + text(f"interval '{delay} seconds'"))
        (row,) = rows.execute(jobs.select().where(jobs.c.id == one.id))
        with rows.engine.begin() as connection:
            connection.execute(jobs.insert(), [{**row._mapping, "id": new_id("job")} for _ in range(2500)])
    rows.execute(text("ANALYZE"))
    found = scans(rows.engine, position.queue_position(job))
    assert [] == [scan for scan in found if scan["Node Type"] == "Seq Scan"]
    assert 1000 <= sum(map(rows_read, found)) <= 1100
