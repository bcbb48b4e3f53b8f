"""Statements of inputs: leases, fences, limits of hosts and tenants, and the move of the job."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from sqlalchemy import func, literal, select, text, update

from core.errors.failures import InputUnreachable
from core.ids import new_id
from jobs.job import JobError, JobStatus
from jobs.schema.tables import inputs as table
from jobs.schema.tables import jobs, servers
from jobs.statements.maintenance import recovery
from jobs.statements.media import input_lanes, input_removal, inputs
from jobs.statements.queue import tenant_jobs
from tests.support.rows.plans import rows_read, scans

STORED = {"key": "ten/job/inputs/ab.png", "media_type": "image/png", "bytes": 9, "sha256": "ab"}
ERROR = JobError.of(InputUnreachable)
HOUR = text("interval '1 hour'")


@pytest.fixture(autouse=True)
def _served(rows):
    rows.server("gpu-any")


@pytest.fixture
def tenant(rows):
    return rows.tenant()


def take(rows, limit=100, lease_seconds=60.0, max_attempts=3, **limits):
    limits = {"tenant_bytes": 10**9} | limits
    statement = inputs.take(limit=limit, lease_seconds=lease_seconds, max_attempts=max_attempts, **limits)
    return rows.execute(statement)


def urls(rows, limit=100, **more):
    return sorted(row.url for row in take(rows, limit, **more))


def finish(rows, row):
    """What a worker does with a clean copy: the job that is queued now, if any."""
    with rows.engine.begin() as connection:
        if connection.execute(inputs.lock_job(row.job_id)).first() is None:
            return None
        assert connection.execute(inputs.ready(row.job_id, row.name, row.fence, **STORED)).first() is not None
        return connection.execute(inputs.queue_job(row.job_id)).first()


def test_spill_at_is_counted_from_the_last_ready_input(rows, tenant):
    job = rows.pending(tenant, "http://one.example/a.png", server_id="gpu-1", spill_seconds=30.0)
    rows.set(job, created_at=jobs.c.created_at - HOUR, spill_at=jobs.c.spill_at - HOUR)
    queued = finish(rows, *take(rows))
    assert 30.0 == pytest.approx((queued.spill_at - queued.queued_at).total_seconds(), abs=5.0)


def test_a_strict_pin_stays_strict(rows, tenant):
    rows.pending(tenant, "http://one.example/a.png", server_id="gpu-1")
    assert finish(rows, *take(rows)).spill_at is None


def test_an_input_is_leased_once(rows, tenant):
    job = rows.pending(tenant, "http://one.example/a.png")
    (row,) = take(rows)
    assert (job.id, "reference_images.0", "image", 1, 1) == (row.job_id, row.name, row.kind, row.attempt, row.fence)
    assert [] == take(rows)


def test_a_lost_lease_is_taken_again_while_attempts_remain(rows, tenant):
    rows.pending(tenant, "http://one.example/a.png")
    for attempt in (1, 2, 3):
        (row,) = take(rows, lease_seconds=-1.0)
        assert (attempt, attempt) == (row.attempt, row.fence)
    assert [] == take(rows)
    ((job_id, name, fence),) = rows.execute(inputs.lost(max_attempts=3))
    assert (row.job_id, row.name, 3) == (job_id, name, fence)


def test_a_leased_input_is_not_lost(rows, tenant):
    rows.pending(tenant, "http://one.example/a.png")
    take(rows, max_attempts=1)
    assert [] == rows.execute(inputs.lost(max_attempts=1))


@pytest.mark.parametrize(
    "change",
    [
        {"status": "cancelled"},
        {"status": "failed"},
        {"status": "queued"},
        {"deadline_at": func.now()},
        {"deleted_at": func.now()},
    ],
)
def test_only_a_job_that_waits_has_its_inputs_fetched(rows, tenant, change):
    job = rows.pending(tenant, "http://one.example/a.png")
    rows.set(job, **change)
    assert [] == take(rows)


def test_inputs_wait_until_a_server_serves_the_model(rows, tenant):
    """Their clean copies would lie in the store for as long as no server comes."""
    job = rows.pending(tenant, "http://one.example/a.png", model="another")
    assert [] == take(rows)
    rows.server("gpu-late", serves=["another"])
    assert [job.id] == [row.job_id for row in take(rows, lease_seconds=-1.0)]
    rows.execute(update(servers).values(lease_until=func.now()))
    assert [] == take(rows)


class TestBytes:
    """Clean copies are counted per tenant."""

    @pytest.fixture
    def stored(self, rows, tenant):
        """A job of the tenant with a clean copy of 9 bytes, and another one that waits."""
        rows.pending(tenant, "http://one.example/a.png")
        job = finish(rows, *take(rows))
        rows.pending(tenant, "http://one.example/b.png")
        return job

    def test_41_a_tenant_with_too_many_waits_and_others_do_not(self, rows, stored):
        rows.pending(rows.tenant("another"), "http://one.example/c.png")
        assert ["http://one.example/c.png"] == urls(rows, tenant_bytes=9)

    def test_one_byte_less_is_room(self, rows, stored):
        assert ["http://one.example/b.png"] == urls(rows, tenant_bytes=10)

    def test_the_removal_of_copies_makes_room(self, rows, stored):
        assert [] == take(rows, tenant_bytes=9)
        rows.execute(input_removal.forget(stored.id))
        assert ["http://one.example/b.png"] == urls(rows, tenant_bytes=9)


class TestFence:
    """A worker that lost the lease changes nothing."""

    @pytest.mark.parametrize(
        "fate",
        [
            lambda row, fence: inputs.ready(row.job_id, row.name, fence, **STORED),
            lambda row, fence: inputs.retry(row.job_id, row.name, fence, delay=60, problem="404"),
            lambda row, fence: inputs.release(row.job_id, row.name, fence),
            lambda row, fence: inputs.fail(row.job_id, row.name, fence, problem="404"),
        ],
    )
    def test_only_the_holder_writes_its_fate(self, rows, tenant, fate):
        job = rows.pending(tenant, "http://one.example/a.png")
        take(rows, lease_seconds=-1.0)
        (row,) = take(rows)
        before = rows.inputs(job)
        assert [] == rows.execute(fate(row, 1))
        assert before == rows.inputs(job)
        assert 1 == len(rows.execute(fate(row, 2)))
        assert before != rows.inputs(job)

    def test_a_release_refunds_the_attempt_and_keeps_the_fence_high(self, rows, tenant):
        job = rows.pending(tenant, "http://one.example/a.png")
        (row,) = take(rows)
        rows.execute(inputs.release(row.job_id, row.name, row.fence))
        (again,) = take(rows)
        assert (1, 2) == (again.attempt, again.fence)
        assert [] == rows.execute(inputs.release(row.job_id, row.name, row.fence))
        assert job.id == again.job_id

    def test_only_valid_leases_of_waiting_jobs_are_renewed(self, rows, tenant):
        leased, cancelled, lost = (rows.pending(tenant, f"http://{n}.example/a.png") for n in range(3))
        taken = {row.job_id: (row.job_id, row.name, row.fence) for row in take(rows, lease_seconds=1.0)}
        rows.cancel(cancelled)
        rows.execute(update(table).where(table.c.job_id == lost.id).values(fence=9))
        renewed = rows.execute(inputs.renew(taken.values(), lease_seconds=600.0))
        assert [taken[leased.id]] == [tuple(row) for row in renewed]
        left = rows.scalar(select(table.c.lease_until - func.now()).where(table.c.job_id == leased.id))
        assert 500 < left.total_seconds()

    def test_a_released_input_is_not_leased_by_a_late_renewal(self, rows, tenant):
        for fate in (inputs.release, partial(inputs.retry, problem="503")):
            job = rows.pending(tenant, "http://one.example/a.png")
            (row,) = take(rows)
            key = (row.job_id, row.name, row.fence)
            rows.execute(fate(*key, delay=60))
            assert [] == rows.execute(inputs.renew([key], lease_seconds=600.0))
            assert None is rows.inputs(job)[0].lease_until


def test_a_retry_is_due_later_and_says_why(rows, tenant):
    job = rows.pending(tenant, "http://one.example/a.png")
    (row,) = take(rows)
    rows.execute(inputs.retry(row.job_id, row.name, row.fence, delay=60, problem="It answered 503."))
    assert [] == take(rows)
    assert "It answered 503." == rows.inputs(job)[0].problem
    rows.execute(update(table).values(available_at=func.now()))
    assert [2] == [row.attempt for row in take(rows)]


class TestRoom:
    """Slow hosts delay only the tenants that named them."""

    def test_a_host_has_a_few_under_way_at_once(self, rows, tenant):
        for number in range(10):
            rows.pending(tenant, f"http://slow.example/{number}")
        rows.pending(tenant, "http://quick.example/")
        taken = take(rows)
        assert ["quick.example", *["slow.example"] * 4] == sorted(row.host for row in taken)
        assert [] == take(rows)
        finish(rows, next(row for row in taken if row.host == "slow.example"))
        assert ["slow.example"] == [row.host for row in take(rows)]

    @pytest.mark.long
    def test_one_tenant_does_not_delay_another(self, rows, tenant):
        """50 hosts that never answer, all of one tenant's."""
        for number in range(50):
            rows.pending(tenant, f"http://tarpit{number}.example/")
        other = rows.tenant("another")
        for number in range(20):
            rows.pending(other, f"http://quick{number}.example/")
        taken = take(rows)
        assert [8, 8] == [sum(row.tenant == one for row in taken) for one in (tenant, other)]
        assert [] == take(rows)
        for _ in range(3):
            for row in taken:
                if row.tenant == other:
                    finish(rows, row)
            taken = take(rows)
            assert {other} >= {row.tenant for row in taken}
        assert 20 == rows.scalar(text("SELECT count(*) FROM jobs WHERE status = 'queued'"))

    @pytest.mark.long
    def test_a_host_is_shared_fairly_between_tenants(self, rows, tenant):
        """The first tenant has come first, with many."""
        for number in range(20):
            rows.pending(tenant, f"http://shared.example/{number}")
        other = rows.tenant("another")
        rows.pending(other, "http://shared.example/x")
        assert other in {row.tenant for row in take(rows)}

    @pytest.mark.long
    def test_tenants_without_room_hold_no_places_at_a_host(self, rows):
        full = [rows.tenant(f"full-{number}") for number in range(5)]
        for tenant in full:
            for number in range(8):
                rows.pending(tenant, f"http://{tenant}-{number}.example/")
        assert 40 == len(take(rows))
        for tenant in full:
            rows.pending(tenant, "http://shared.example/")
        late = rows.pending(rows.tenant("late"), "http://shared.example/")
        assert [late.id] == [row.job_id for row in take(rows)]

    def test_what_lies_in_the_store_belongs_to_no_host(self, rows, tenant):
        for number in range(6):
            job = rows.pending(tenant)
            rows.input(job, "input_image", source_key=f"t/uploads/{number}")
        assert 6 == len(take(rows))

    def test_leases_that_ran_out_take_no_room(self, rows, tenant):
        for number in range(8):
            rows.pending(tenant, f"http://slow.example/{number}")
        assert 4 == len(take(rows, lease_seconds=-1.0))
        assert 4 == len(take(rows))

    def test_a_fetch_of_a_cancelled_job_still_takes_room(self, rows, tenant):
        made = [rows.pending(tenant, f"http://slow.example/{number}") for number in range(5)]
        taken = take(rows)
        rows.cancel(next(job for job in made if job.id == taken[0].job_id))
        assert [] == take(rows)

    @pytest.mark.long
    def test_the_room_of_a_host_is_kept_when_many_look_at_once(self, rows, tenant):
        for number in range(50):
            rows.pending(tenant, f"http://slow.example/{number}")
        with ThreadPoolExecutor(8) as pool:
            taken = [row for batch in pool.map(lambda _: take(rows), range(40)) for row in batch]
        assert 4 == len(taken)


class TestLanes:
    """The cost is one of lanes, not of what lies in them."""

    def fill(self, rows, tenant, count, host="one.example", model="chaos", status="pending"):
        """Jobs that wait for an input each; `host` may be SQL that depends on `number`, from 1."""
        made = {"tenant": tenant, "model": model, "status": status, "prefix": new_id("job"), "count": count}
        rows.execute(
            text("""
                INSERT INTO jobs (id, tenant, modality, model, params, status, max_attempts, priority, deadline_at,
                                  has_inputs)
                SELECT :prefix || number, :tenant, 'image', :model, '{}', :status, 3, 5, now() + interval '1 hour', true
                FROM generate_series(1, :count) AS number
            """).bindparams(**made)
        )
        given = literal(host) if isinstance(host, str) else host
        columns = {"name": literal("input_image"), "kind": literal("image"), "url": literal("http://x/"), "host": given}
        columns |= {"job_id": jobs.c.id, "tenant": jobs.c.tenant, "model": jobs.c.model}
        chosen = select(*columns.values()).where(jobs.c.id.startswith(made["prefix"]))
        rows.execute(table.insert().from_select(list(columns), chosen))

    @pytest.mark.matrix
    @pytest.mark.parametrize("statistics", ["none", "of before", "present"])
    def test_a_backlog_of_one_host_is_not_read(self, rows, tenant, statistics):
        self.fill(rows, tenant, 200, status="failed")
        rows.execute(update(table).values(status="ready", bytes=1))
        if statistics == "of before":
            rows.execute(text("ANALYZE inputs, jobs"))
        self.fill(rows, tenant, 5000)
        self.fill(rows, tenant, 5000, model="unserved")
        quick = rows.pending(rows.tenant("another"), "http://quick.example/")
        if statistics == "present":
            rows.execute(text("ANALYZE inputs, jobs"))
        assert quick.id in {row.job_id for row in take(rows)}
        again = inputs.take(limit=100, lease_seconds=60.0, max_attempts=3, tenant_bytes=10**9)
        found = scans(rows.engine, again, "inputs", "jobs")
        assert [] == [scan for scan in found if scan["Node Type"] == "Seq Scan"]
        assert 0 < sum(map(rows_read, found)) < 600  # 200 of them are the copies whose bytes are counted

    @pytest.mark.long
    def test_many_made_up_hosts_are_visited_by_turns(self, rows, tenant, monkeypatch):
        monkeypatch.setattr(input_lanes, "LANES", 10)
        inputs.take.cache_clear()
        self.fill(rows, tenant, 2000, func.concat(jobs.c.id, ".example"))
        rows.pending(tenant, "http://one.example/")
        other = rows.pending(rows.tenant("another"), "http://quick.example/")
        rows.execute(text("ANALYZE inputs"))  # without statistics a table of so few rows may as well be read whole
        again = inputs.take(limit=9, lease_seconds=60.0, max_attempts=3, tenant_bytes=9)
        assert 0 < sum(map(rows_read, scans(rows.engine, again, "inputs"))) < 100
        assert rows.inputs(other)[0].lease_until is not None
        for second in range(3000):
            query = input_lanes.INDEX.lanes_of(f"'{tenant}'", 10, f"{second}::bigint")
            visited = {row.host for row in rows.execute(text(query))}
            assert 10 == len(visited)
            if "one.example" in visited:
                break
        else:
            raise AssertionError("one.example was never visited")

    @pytest.mark.long
    def test_a_model_that_is_not_served_holds_up_no_other(self, rows, tenant):
        """Of the same tenant and the same host."""
        for number in range(20):
            rows.pending(tenant, f"http://one.example/{number}", model="unserved")
        served = rows.pending(tenant, "http://one.example/x")
        assert [served.id] == [row.job_id for row in take(rows)]

    def test_inputs_of_an_api_of_before_are_taken(self, rows, tenant):
        """Their rows do not say the model."""
        job = rows.pending(tenant, "http://one.example/a")
        rows.pending(tenant, "http://two.example/a", model="unserved")
        rows.execute(update(table).values(model=""))
        assert [job.id] == [row.job_id for row in take(rows)]

    @pytest.mark.matrix
    @pytest.mark.parametrize("end", ["cancelled", "erased", "expired", "failed"])
    def test_jobs_that_have_ended_leave_nothing_in_the_way(self, rows, tenant, end):
        ended = [rows.pending(tenant, f"http://one.example/{number}") for number in range(20)]
        for job in ended:
            match end:
                case "cancelled":
                    rows.execute(tenant_jobs.cancel(job.id, tenant))
                case "erased":
                    rows.execute(tenant_jobs.erase(job.id, tenant))
                case "expired":
                    rows.set(job, deadline_at=func.now())
                case "failed":
                    rows.execute(inputs.fail_job(job.id, ERROR))
        if end == "expired":
            rows.execute(recovery.expire())
        waiting = rows.pending(tenant, "http://one.example/x")
        assert [waiting.id] == [row.job_id for row in take(rows)]
        assert {"failed"} == {row.status for job in ended for row in rows.inputs(job)}

    def test_a_fetch_of_an_ended_job_is_closed_when_it_is_released(self, rows, tenant):
        job = rows.pending(tenant, "http://one.example/a")
        (row,) = take(rows)
        rows.cancel(job)
        assert ["waiting"] == [one.status for one in rows.inputs(job)]
        rows.execute(inputs.release(row.job_id, row.name, row.fence))
        assert ["failed"] == [one.status for one in rows.inputs(job)]

    def test_fewer_attempts_than_before_leave_no_input_behind(self, rows, tenant):
        """It is neither under way nor lost: its last attempt ended with a pause."""
        job = rows.pending(tenant, "http://one.example/a")
        rows.execute(update(table).values(attempt=3))
        assert [] == rows.execute(inputs.lost(max_attempts=2))
        assert [job.id] == [row.job_id for row in take(rows, max_attempts=2)]


def test_two_workers_never_lease_the_same_input(rows, tenant):
    for number in range(60):
        rows.pending(tenant, *[f"http://{number}-{n}.example/" for n in range(2)])

    def work(_):
        taken = []
        while batch := take(rows, limit=7, tenant_limit=1000):
            taken += [row.url for row in batch]
        return taken

    with ThreadPoolExecutor(8) as pool:
        taken = [url for batch in pool.map(work, range(8)) for url in batch]
    assert 120 == len(taken) == len(set(taken))


class TestTheJob:
    """It moves with the last of its inputs."""

    def test_it_is_queued_when_the_last_input_is_ready(self, rows, tenant):
        job = rows.pending(tenant, "http://one.example/a", "http://two.example/b")
        first, second = take(rows)
        assert finish(rows, first) is None
        assert JobStatus.PENDING == rows.job(job).status
        assert job.id == finish(rows, second).id
        queued = rows.job(job)
        assert (JobStatus.QUEUED, job.event_seq + 1) == (queued.status, queued.event_seq)
        assert queued.queued_at is not None
        copies = {tuple(row) for row in rows.execute(inputs.clean_copies(job.id))}
        assert {(f"reference_images.{n}", STORED["key"]) for n in range(2)} == copies

    @pytest.mark.long
    def test_inputs_that_are_ready_at_once_queue_the_job_once(self, rows, tenant):
        jobs = [rows.pending(tenant, *[f"http://{j}-{n}.example/" for n in range(4)]) for j in range(25)]
        taken = sorted(take(rows, limit=1000, tenant_limit=1000), key=lambda row: row.job_id)
        with ThreadPoolExecutor(8) as pool:
            queued = [row.id for row in pool.map(lambda row: finish(rows, row), taken) if row is not None]
        assert sorted(job.id for job in jobs) == sorted(queued)

    @pytest.mark.parametrize("end", ["cancel", "erase"])
    def test_a_job_that_has_ended_is_not_queued(self, rows, tenant, end):
        job = rows.pending(tenant, "http://one.example/a")
        (row,) = take(rows)
        rows.execute(getattr(tenant_jobs, end)(job.id, tenant))
        assert finish(rows, row) is None
        assert JobStatus.CANCELLED == rows.job(job).status

    def test_it_fails_with_its_input(self, rows, tenant):
        job = rows.pending(tenant, "http://one.example/a")
        (row,) = take(rows)
        rows.execute(inputs.fail(row.job_id, row.name, row.fence, problem="404"))
        rows.execute(inputs.fail_job(job.id, ERROR))
        failed = rows.job(job)
        assert (JobStatus.FAILED, ERROR, 0) == (failed.status, failed.error, failed.fence)
        assert failed.finished_at is not None
        assert rows.change(inputs.fail_job(job.id, ERROR)) is None
