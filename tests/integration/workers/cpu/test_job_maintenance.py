"""Upkeep on a real database and a real store: leases, deadlines, deletions, twice at once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from redis import Redis
from sqlalchemy import func, select, text, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from core.database import sync_engine
from core.errors.unavailable import StorageUnavailable
from core.settings import Settings
from core.storage.store import open_store
from jobs.doorbell import model_queue
from jobs.job import JobStatus
from jobs.schema.tables import idempotency, inputs, jobs, uploads, webhook_hosts, webhook_receivers
from jobs.statements.budget import lock_tenant
from jobs.statements.maintenance import recovery
from jobs.statements.queue import submit, tenant_jobs
from jobs.statements.webhooks import receiver_breaker
from tests.support.gpu_worker.fakes import FakeClock
from tests.support.rows.rows import MODEL
from tests.support.service.published import published
from workers.cpu.job_maintenance import JobMaintenance

BREAKERS = (webhook_receivers, webhook_hosts)


@pytest.fixture
def make_settings(database_url, broker_url, tmp_path):
    def make(**more):
        chosen = {
            "database_url": database_url,
            "broker_url": broker_url,
            "storage_url": f"file://{tmp_path}/objects",
            "retry_backoff": 0.0,
            "purge_delay": 600.0,
        }
        return Settings(**(chosen | more))

    return make


def in_contact(settings, engine, clock=None):
    """Maintenance whose database has answered for half a lease: what is lost is taken at once."""
    clock = clock or FakeClock()
    made = JobMaintenance(settings, engine, open_store(settings), clock)
    made.recover_jobs()
    clock.advance(settings.lease_seconds / 2)
    return made


@pytest.fixture
def chores(make_settings, rows):
    return in_contact(make_settings(), rows.engine)


def abandoned(rows, **params):
    """A claimed job whose worker has been silent for longer than its lease."""
    job = rows.submit(params.pop("tenant", None) or rows.tenant(), **params)
    claimed = rows.claim(rows.server(f"server-{job.id}"), lease_seconds=-1.0)
    assert job.id == claimed.id
    return claimed


def stored(settings, job, tmp_path):
    """Two objects of a job, of two attempts."""
    source = tmp_path / "source"
    source.write_bytes(b"picture")
    store = open_store(settings)
    for fence in (1, 2):
        store.put(f"{job.tenant}/{job.id}/{fence}/ab.webp", source, "image/webp")
    return store


def test_the_job_of_a_lost_worker_is_queued_again(rows, chores, broker_url):
    job = abandoned(rows, callback_url="http://example.com/hook")
    assert chores.recover_jobs() is False
    again = rows.job(job)
    assert (JobStatus.QUEUED, 1, None, job.fence) == (again.status, again.attempt, again.lease_until, again.fence)
    assert [] == rows.deliveries()
    redis = Redis.from_url(broker_url)
    (event,) = published(redis, job.id)
    assert (again.event_seq, JobStatus.QUEUED) == (event.seq, again.status)
    assert 1 == redis.llen(model_queue(MODEL))


def test_a_job_pinned_to_a_server_rings_there(rows, chores, broker_url):
    job = rows.submit(rows.tenant(), server_id="gpu-7")
    rows.claim(rows.server("gpu-7"), lease_seconds=-1.0)
    chores.recover_jobs()
    assert JobStatus.QUEUED == rows.job(job).status
    assert 1 == Redis.from_url(broker_url).llen("server.gpu-7")


def test_the_loss_of_the_last_attempt_fails_the_job(rows, chores):
    job = abandoned(rows, callback_url="http://example.com/hook")
    rows.set(job, attempt=3)
    chores.recover_jobs()
    failed = rows.job(job)
    assert (JobStatus.FAILED, "attempts_exhausted") == (failed.status, failed.error.code)
    assert failed.finished_at is not None
    (delivery,) = rows.deliveries()
    assert ("job.failed", failed.event_seq, job.id) == (delivery.type, delivery.event_seq, delivery.job_id)


def test_a_lost_workers_jobs_are_queued_without_a_pause(rows, make_settings, broker_url):
    """They were waited for as long as a lease is: now they are the next of their tenant."""
    settings = make_settings(retry_backoff=60.0)
    jobs_ = [abandoned(rows), abandoned(rows)]
    in_contact(settings, rows.engine).recover_jobs()
    claimant = rows.server()
    assert [job.id for job in jobs_] == [rows.claim(claimant).id for _ in jobs_]


class TestOutage:
    """After an outage of the database a lease that ran out says nothing of its worker, for a while."""

    @pytest.fixture
    def clock(self):
        return FakeClock()

    @pytest.fixture
    def maintenance(self, rows, make_settings, clock):
        """Maintenance that has been in contact with the database, on a clock of its own."""
        settings = make_settings(lease_seconds=30.0, renew_seconds=10.0, upkeep_seconds=5.0)
        return in_contact(settings, rows.engine, clock)

    @pytest.fixture
    def job(self, rows):
        return abandoned(rows)

    def lose_the_database(self, rows, maintenance):
        """Let a turn find the database away: it takes no connections, and those that were open are gone."""
        admin = make_url(rows.engine.url.render_as_string(hide_password=False))
        name, elsewhere = admin.database, admin.set(drivername="postgresql", database="postgres")
        with psycopg.connect(elsewhere.render_as_string(hide_password=False), autocommit=True) as connection:
            connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
            try:
                with pytest.raises(OperationalError):
                    maintenance.recover_jobs()
            finally:
                connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')

    def test_a_lease_that_ran_out_meanwhile_is_left_for_a_grace(self, rows, maintenance, clock, job):
        self.lose_the_database(rows, maintenance)
        maintenance.recover_jobs()
        clock.advance(10.0)
        maintenance.recover_jobs()
        assert JobStatus.PROCESSING == rows.job(job).status
        clock.advance(5.0)
        maintenance.recover_jobs()
        assert JobStatus.QUEUED == rows.job(job).status

    def test_the_owner_that_lives_keeps_its_job(self, rows, maintenance, clock, job):
        self.lose_the_database(rows, maintenance)
        maintenance.recover_jobs()
        rows.report(job, 0.5)
        clock.advance(15.0)
        maintenance.recover_jobs()
        assert (JobStatus.COMPLETED, 1) == ((done := rows.complete(job)).status, done.attempt)

    def test_a_server_that_stood_still_was_away_too(self, rows, maintenance, clock, job):
        """No request failed; the answer came late."""
        clock.advance(20.0)
        maintenance.recover_jobs()
        assert JobStatus.PROCESSING == rows.job(job).status

    def test_a_worker_that_starts_just_after_one_gives_it_too(self, rows, make_settings, clock, job):
        """It has not seen the outage."""
        settings = make_settings(lease_seconds=30.0, renew_seconds=10.0, upkeep_seconds=5.0)
        late = JobMaintenance(settings, rows.engine, open_store(settings), clock)
        for status in (JobStatus.PROCESSING, JobStatus.PROCESSING, JobStatus.QUEUED):
            late.recover_jobs()
            assert status == rows.job(job).status
            clock.advance(7.5)

    def test_an_input_under_way_is_not_lost_either(self, rows, maintenance, clock):
        waiting = rows.pending(rows.tenant(), "http://one.example/a.png")
        lost = {"attempt": 3, "lease_until": func.now() - text("interval '1 s'")}
        rows.execute(update(inputs).where(inputs.c.job_id == waiting.id).values(lost))
        self.lose_the_database(rows, maintenance)
        maintenance.recover_jobs()
        assert JobStatus.PENDING == rows.job(waiting).status
        clock.advance(15.0)
        maintenance.recover_jobs()
        assert (JobStatus.FAILED, "input_unreachable") == ((gone := rows.job(waiting)).status, gone.error.code)

    def test_a_deadline_is_kept_all_the_same(self, rows, maintenance, job):
        rows.set(job, deadline_at=func.now())
        self.lose_the_database(rows, maintenance)
        maintenance.recover_jobs()
        assert (JobStatus.FAILED, "deadline_exceeded") == ((late := rows.job(job)).status, late.error.code)


def test_a_living_lease_is_left_alone(rows, chores):
    job = rows.submit(rows.tenant())
    claimed = rows.claim(rows.server())
    chores.recover_jobs()
    assert claimed == rows.job(job)


@pytest.mark.contract("E11")
@pytest.mark.parametrize("status", ["pending", "queued", "processing"])
def test_a_passed_deadline_fails_the_job_wherever_it_is(rows, chores, status):
    job = rows.submit(rows.tenant(), callback_url="http://example.com/hook")
    rows.set(job, status=status, deadline_at=func.now(), lease_until=func.now() + text("interval '1 hour'"))
    chores.recover_jobs()
    failed = rows.job(job)
    assert (JobStatus.FAILED, "deadline_exceeded") == (failed.status, failed.error.code)
    assert failed.lease_until is None
    assert ["job.failed"] == [delivery.type for delivery in rows.deliveries()]


@pytest.mark.matrix
@pytest.mark.parametrize("end", ["complete", "cancel"])
def test_an_ended_job_never_expires(rows, chores, end):
    job = rows.submit(rows.tenant())
    claimed = rows.claim(rows.server())
    ended = getattr(rows, end)(claimed)
    rows.set(job, deadline_at=func.now(), lease_until=func.now())
    chores.recover_jobs()
    assert ended.status == rows.job(job).status


@pytest.mark.long
def test_more_than_a_batch_says_so_and_all_are_done(rows, chores, monkeypatch):
    monkeypatch.setattr(recovery, "BATCH", 10)
    for _ in range(25):
        rows.submit(rows.tenant(), deadline_seconds=-1.0)
    turns = 1
    while chores.recover_jobs():
        turns += 1
    assert 3 == turns
    assert {JobStatus.FAILED} == {row.status for row in rows.execute(select(jobs.c.status))}


def test_without_redis_upkeep_goes_on(rows, make_settings):
    job = abandoned(rows)
    deaf = make_settings(broker_url="redis://127.0.0.1:1/0")
    in_contact(deaf, rows.engine).recover_jobs()
    assert JobStatus.QUEUED == rows.job(job).status


@pytest.mark.long
def test_two_workers_do_everything_once(rows, make_settings, tmp_path):
    """Each job ends once and tells once, though four workers look at the same time, for ten rounds."""
    settings = make_settings()
    engines = [sync_engine(settings) for _ in range(4)]
    workers = [JobMaintenance(settings, engine, open_store(settings)) for engine in engines]
    tenant = rows.tenant()
    for _ in range(10):
        for _ in range(10):
            rows.submit(tenant, callback_url="http://example.com/hook", deadline_seconds=-1.0)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda worker: (worker.recover_jobs(), worker.purge_jobs(), worker.forget_keys()), workers))
    workers[0].recover_jobs()
    delivered = [delivery.job_id for delivery in rows.deliveries()]
    assert 100 == len(delivered) == len(set(delivered))
    assert {(JobStatus.FAILED, 2)} == {tuple(row) for row in rows.execute(select(jobs.c.status, jobs.c.event_seq))}
    for engine in engines:
        engine.dispose()


@pytest.mark.matrix
@pytest.mark.parametrize("loss", ["deadline", "lease", "input"])
def test_a_tenant_locked_by_a_dead_process_holds_up_no_other(rows, make_settings, loss):
    """Its transaction is open until the server ends it, which may take hours."""
    chores = in_contact(make_settings(db_timeout=0.1), rows.engine)
    stuck, other = (abandoned(rows, price_usd=0.5, tenant=rows.tenant(name)) for name in ("stuck", "other"))
    before = JobStatus.PENDING if loss == "input" else JobStatus.PROCESSING
    for job in (stuck, other):
        match loss:
            case "deadline":
                rows.set(job, deadline_at=func.now(), lease_until=func.now() + text("interval '1 hour'"))
            case "lease":
                rows.set(job, attempt=3)
            case "input":
                rows.set(job, status="pending")
                rows.input(job, "input_image", url="http://one.example/", attempt=3, lease_until=func.now())
    with rows.engine.begin() as dead:
        dead.execute(lock_tenant(stuck.tenant))
        chores.recover_jobs()
        assert [before, JobStatus.FAILED] == [rows.job(job).status for job in (stuck, other)]
    chores.recover_jobs()
    assert JobStatus.FAILED == rows.job(stuck).status


def test_a_task_of_another_worker_is_left_to_it(rows, chores):
    job = abandoned(rows)
    with rows.engine.begin() as other:
        assert other.scalar(recovery.try_lock("atelier.reap")) is True
        chores.recover_jobs()
        assert JobStatus.PROCESSING == rows.job(job).status
    chores.recover_jobs()
    assert JobStatus.QUEUED == rows.job(job).status


def test_a_deleted_job_is_purged_twice_and_then_forgotten(rows, chores, make_settings, tmp_path):
    job = rows.submit(rows.tenant())
    kept = rows.submit(rows.tenant())
    store = stored(make_settings(), job, tmp_path)
    stored(make_settings(), kept, tmp_path)
    rows.execute(tenant_jobs.erase(job.id, job.tenant))

    assert chores.purge_jobs() is False
    assert [] == list(store.keys(f"{job.tenant}/{job.id}/"))
    assert 2 == len(list(store.keys(f"{kept.tenant}/{kept.id}/")))
    again = rows.execute(select(jobs.c.purge_at - func.now()).where(jobs.c.id == job.id))[0][0].total_seconds()
    assert 590 < again <= 600

    stored(make_settings(), job, tmp_path)  # a worker that had been asleep
    assert chores.purge_jobs() is False
    assert 2 == len(list(store.keys(f"{job.tenant}/{job.id}/")))

    an_hour = text("interval '1 hour'")
    rows.execute(
        update(jobs)
        .where(jobs.c.id == job.id)
        .values(deleted_at=jobs.c.deleted_at - an_hour, purge_at=jobs.c.purge_at - an_hour)
    )
    chores.purge_jobs()
    assert [] == list(store.keys(f"{job.tenant}/{job.id}/"))
    assert [] == rows.execute(select(jobs.c.id).where(jobs.c.id == job.id))
    assert 2 == len(list(store.keys(f"{kept.tenant}/{kept.id}/")))


def put(settings, tmp_path, *keys):
    """Objects under these keys."""
    (tmp_path / "source").write_bytes(b"picture")
    store = open_store(settings)
    for key in keys:
        store.put(key, tmp_path / "source", "image/png")
    return store


class TestInputs:
    """Callers' pictures do not stay for ever."""

    @pytest.fixture
    def ended(self, rows, make_settings, tmp_path):
        """A job that ended two hours ago, with an input and an output."""
        job = rows.pending(rows.tenant(), "http://one.example/a.png", "http://one.example/b.png")
        put(make_settings(), tmp_path, *[f"{job.tenant}/{job.id}/{name}" for name in ("inputs/a.png", "1/out.webp")])
        rows.set(job, status="completed", finished_at=func.now() - text("interval '2 hours'"))
        return job

    def test_those_of_an_ended_job_go_and_its_outputs_stay(self, rows, chores, make_settings, tmp_path, ended):
        waiting = rows.pending(ended.tenant, "http://one.example/a.png")
        store = put(make_settings(), tmp_path, kept := f"{waiting.tenant}/{waiting.id}/inputs/a.png")
        assert chores.remove_inputs() is False
        assert {f"{ended.tenant}/{ended.id}/1/out.webp", kept} == set(store.keys())
        assert [] == rows.inputs(ended)
        assert 1 == len(rows.inputs(waiting))

    def test_those_of_a_job_that_has_just_ended_are_kept(self, rows, chores, ended):
        rows.set(ended, finished_at=func.now())
        chores.remove_inputs()
        assert 2 == len(rows.inputs(ended))

    def test_many_at_once_remove_them_once(self, rows, make_settings, ended):
        settings = make_settings()
        workers = [JobMaintenance(settings, rows.engine, open_store(settings)) for _ in range(4)]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda worker: (worker.remove_inputs(), worker.remove_uploads()), workers))
        workers[0].remove_inputs()
        assert [] == rows.inputs(ended)

    def test_a_deleted_jobs_urls_go_with_its_objects(self, rows, chores):
        job = rows.pending(rows.tenant(), "http://one.example/s3cret.png")
        rows.execute(tenant_jobs.erase(job.id, job.tenant))
        chores.purge_jobs()
        assert [] == rows.inputs(job)

    @pytest.mark.long
    def test_old_uploads_go_unless_a_job_waits_for_them(self, rows, chores, make_settings, tmp_path):
        tenant = rows.tenant()
        keys = [f"{tenant}/inputs/inp_{name}" for name in ("old", "used", "young")]
        store = put(make_settings(), tmp_path, *keys)
        for key in keys:
            rows.execute(uploads.insert().values(id=key, tenant=tenant, key=key))
        rows.execute(
            update(uploads).where(uploads.c.id != keys[2]).values(created_at=func.now() - text("interval '3 days'"))
        )
        job = rows.pending(tenant)
        rows.input(job, "input_image", source_key=keys[1])
        assert chores.remove_uploads() is False
        assert set(keys[1:]) == set(store.keys())
        rows.cancel(job)
        chores.remove_uploads()
        assert keys[2:] == list(store.keys()) == [row.key for row in rows.execute(uploads.select())]

    @pytest.mark.parametrize("chore", ["remove_inputs", "remove_uploads"])
    def test_a_store_that_is_away_keeps_them_for_later(self, rows, make_settings, tmp_path, ended, monkeypatch, chore):
        rows.execute(uploads.insert().values(id="inp", tenant=ended.tenant, key="t/inputs/inp"))
        rows.execute(update(uploads).values(created_at=func.now() - text("interval '3 days'")))
        store = put(make_settings(), tmp_path, "t/inputs/inp")

        def remove_prefix(prefix):
            raise StorageUnavailable("The object store cannot be reached.")

        with monkeypatch.context() as patch:
            patch.setattr(store, "remove_prefix", remove_prefix)
            assert getattr(JobMaintenance(make_settings(), rows.engine, store), chore)() is False
        assert 2 == len(rows.inputs(ended))
        assert 1 == len(rows.execute(uploads.select()))
        getattr(JobMaintenance(make_settings(), rows.engine, store), chore)()
        assert {"remove_inputs": (0, 1), "remove_uploads": (2, 0)}[chore] == (
            len(rows.inputs(ended)),
            len(rows.execute(uploads.select())),
        )


class TestStoreAway:
    """A store that cannot be reached keeps what is to be purged for later."""

    @pytest.fixture
    def away(self, make_settings, monkeypatch):
        store = open_store(make_settings())

        def remove_prefix(prefix):
            raise StorageUnavailable("The object store cannot be reached.")

        monkeypatch.setattr(store, "remove_prefix", remove_prefix)
        return store

    def test_the_purge_waits(self, rows, make_settings, away, tmp_path):
        job = rows.submit(rows.tenant())
        store = stored(make_settings(), job, tmp_path)
        rows.execute(tenant_jobs.erase(job.id, job.tenant))
        assert JobMaintenance(make_settings(), rows.engine, away).purge_jobs() is False
        assert 2 == len(list(store.keys()))
        JobMaintenance(make_settings(), rows.engine, store).purge_jobs()
        assert [] == list(store.keys())


class TestTurns:
    """What is removed from the store is one worker's at a time, and no transaction waits for the store."""

    @pytest.fixture
    def due(self, rows, make_settings, tmp_path):
        """Something to do for each task: a deleted job, an ended one with an input, and an old upload."""
        tenant = rows.tenant()
        rows.execute(tenant_jobs.erase(rows.submit(tenant).id, tenant))
        ended = rows.pending(tenant, "http://one.example/a.png")
        rows.set(ended, status="completed", finished_at=func.now() - text("interval '2 hours'"))
        rows.execute(uploads.insert().values(id="inp", tenant=tenant, key="t/inputs/inp"))
        rows.execute(update(uploads).values(created_at=func.now() - text("interval '3 days'")))

    @pytest.mark.parametrize("task", ["purge_jobs", "remove_inputs", "remove_uploads"])
    def test_no_transaction_is_open_while_the_store_is_asked(self, rows, make_settings, monkeypatch, due, task):
        store, seen = open_store(make_settings()), []
        idle = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"

        def remove_prefix(prefix):
            seen.append(rows.scalar(text(idle)))
            for table in ("jobs", "inputs", "uploads"):
                rows.execute(text(f"SELECT FROM {table} FOR UPDATE NOWAIT"))
            return 0

        monkeypatch.setattr(store, "remove_prefix", remove_prefix)
        getattr(JobMaintenance(make_settings(), sync_engine(make_settings()), store), task)()
        assert [0] == seen

    @pytest.mark.parametrize("task", ["purge_jobs", "remove_inputs", "remove_uploads"])
    def test_a_turn_is_one_workers_until_it_ends(self, rows, make_settings, monkeypatch, due, task):
        store, asked = open_store(make_settings()), []
        other = JobMaintenance(make_settings(), rows.engine, open_store(make_settings()))

        def remove_prefix(prefix):
            asked.append(prefix)
            if len(asked) == 1:
                assert getattr(other, task)() is False
            return 0

        for worker in (store, other._store):
            monkeypatch.setattr(worker, "remove_prefix", remove_prefix)
        getattr(JobMaintenance(make_settings(), rows.engine, store), task)()
        assert 1 == len(asked)

    def test_the_turn_of_a_lost_worker_ends_by_itself(self, rows, make_settings, monkeypatch, due):
        store, asked = open_store(make_settings()), []

        def remove_prefix(prefix):
            asked.append(prefix)
            if len(asked) == 1:
                raise SystemExit
            return 0

        monkeypatch.setattr(store, "remove_prefix", remove_prefix)
        worker = JobMaintenance(make_settings(), rows.engine, store)
        with pytest.raises(SystemExit):
            worker.purge_jobs()
        worker.purge_jobs()
        assert 1 == len(asked)
        rows.execute(text("UPDATE chores SET next_at = next_at - interval '5 minutes'"))
        worker.purge_jobs()
        assert 2 == len(asked)


def test_a_prefix_that_fails_does_not_delay_the_others(rows, make_settings, tmp_path, monkeypatch):
    stuck, other = (rows.submit(rows.tenant()) for _ in range(2))
    for job in (stuck, other):
        store = stored(make_settings(), job, tmp_path)
        rows.execute(tenant_jobs.erase(job.id, job.tenant))
    remove = store.remove_prefix

    def remove_prefix(prefix):
        if stuck.id in prefix:
            raise StorageUnavailable("The object store answered AccessDenied.")
        return remove(prefix)

    monkeypatch.setattr(store, "remove_prefix", remove_prefix)
    JobMaintenance(make_settings(), rows.engine, store).purge_jobs()
    left = list(store.keys())
    assert left
    assert all(stuck.id in key for key in left)


def test_receivers_that_never_answer_are_forgotten(rows, chores):
    """Each made-up name of a callback would leave a row for good; those of the version before are among them."""
    tenant = rows.tenant()
    for number in range(20):
        url = f"http://made-up-{number}.example/"
        rows.execute(receiver_breaker.failed(tenant, url, failures=1, seconds=60.0))
        rows.execute(webhook_hosts.insert().values(host=url, failures=12, open_until=func.now()))
    chores.forget_keys()
    assert [20, 20] == [rows.scalar(select(func.count()).select_from(table)) for table in BREAKERS]
    a_day = text("interval '25 hours'")
    rows.execute(update(webhook_receivers).values(failed_at=webhook_receivers.c.failed_at - a_day))
    rows.execute(update(webhook_hosts).values(open_until=webhook_hosts.c.open_until - a_day))
    chores.forget_keys()
    assert [0, 0] == [rows.scalar(select(func.count()).select_from(table)) for table in BREAKERS]


def test_only_expired_idempotency_keys_are_forgotten(rows, chores):
    tenant = rows.tenant()
    for key in ("old", "new"):
        rows.execute(submit.remember(tenant, key, "sha", "job_1"))
    rows.execute(
        update(idempotency).where(idempotency.c.key == "old").values(created_at=func.now() - text("interval '3 days'"))
    )
    chores.forget_keys()
    assert ["new"] == [row.key for row in rows.execute(select(idempotency.c.key))]


def test_erasing_scrubs_what_the_caller_wrote(rows, chores):
    job = rows.submit(rows.tenant(), prompt="a secret wish", callback_url="http://example.com/s3cret")
    rows.execute(tenant_jobs.erase(job.id, job.tenant))
    chores.purge_jobs()
    row = rows.execute(text("SELECT jobs::text FROM jobs"))[0][0]
    assert "secret wish" not in row
    assert "s3cret" not in row


def test_the_store_of_a_fresh_machine_needs_no_folder(rows, make_settings, tmp_path):
    settings = make_settings(storage_url=f"file://{tmp_path}/not/there")
    job = rows.submit(rows.tenant())
    rows.execute(tenant_jobs.erase(job.id, job.tenant))
    JobMaintenance(settings, rows.engine, open_store(settings)).purge_jobs()
    assert not Path(tmp_path / "not").exists()
