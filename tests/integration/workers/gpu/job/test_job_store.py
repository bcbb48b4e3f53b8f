"""A worker's writes on real PostgreSQL, with a connection that is lost at the worst moment."""

from collections.abc import Iterator

import pytest
from redis import Redis
from sqlalchemy import Connection, Engine, event, text

from core.database import sync_engine
from core.ids import new_id
from core.settings import Settings
from jobs.doorbell import model_queue
from jobs.job import Artifact, Job, JobError, JobStatus, job_from_row
from jobs.params.image import ImageParams
from jobs.statements import api_keys, servers
from jobs.statements.queue import submit, tenant_jobs
from jobs.statements.queue.claim import Claimant
from jobs.wire.servers import ServerFacts
from workers.gpu.job.job_store import JobStore

ARTIFACT = Artifact(key="t/j/1/a.webp", media_type="image/webp", bytes=1, sha256="a")


@pytest.fixture
def settings(database_url: str, broker_url: str) -> Settings:
    return Settings(database_url=database_url, broker_url=broker_url)


@pytest.fixture
def database(settings: Settings) -> Iterator[Engine]:
    engine = sync_engine(settings)
    yield engine
    engine.dispose()


@pytest.fixture
def ledger(database: Engine, settings: Settings) -> JobStore:
    return JobStore(database, settings)


@pytest.fixture
def claimed(database: Engine, ledger: JobStore) -> Job:
    """A job with a callback, in our hands."""
    with database.begin() as connection:
        tenant = connection.execute(api_keys.ensure_tenant("t")).scalar_one()
        facts = ServerFacts(state="idle", device="cpu", serves=("chaos",))
        connection.execute(servers.register("one", facts, lease_seconds=60))
        params = ImageParams(prompt="null=1", callback_url="http://example.com/")
        connection.execute(
            submit.submit(
                job_id=new_id("job"),
                tenant=tenant,
                model="chaos",
                params=params,
                seed=1,
                max_attempts=3,
                deadline_seconds=60,
            )
        )
    job = ledger.claim(Claimant(server_id="one", incarnation=1, models=("chaos",)))
    assert job is not None
    return job


def now(database: Engine, job: Job) -> Job:
    with database.begin() as connection:
        return job_from_row(connection.execute(tenant_jobs.by_id(job.id)).one())


def test_a_commit_whose_answer_was_lost_is_recognised_as_ours(database: Engine, ledger: JobStore, claimed: Job) -> None:
    """The server commits, the connection breaks before it can say so: the worker must not take its own result for
    another's, or it would remove the outputs.
    """
    lost = []

    def lose_the_answer(connection: Connection) -> None:
        if not lost:
            lost.append(True)
            connection.connection.driver_connection.commit()  # type: ignore[union-attr]
            pid = connection.connection.driver_connection.info.backend_pid  # type: ignore[union-attr]
            with sync_engine(Settings(database_url=str(database.url.render_as_string(False)))).begin() as other:
                other.execute(text(f"SELECT pg_terminate_backend({pid})"))
            connection.exec_driver_sql("SELECT 1")

    event.listen(database, "commit", lose_the_answer)
    done = ledger.commit(claimed, [ARTIFACT], [], 0.5)
    assert lost
    assert done is not None
    assert (JobStatus.COMPLETED, 1) == (done.status, len(done.artifacts))
    with database.begin() as connection:
        assert 1 == connection.execute(text("SELECT count(*) FROM outbox")).scalar_one()
        assert 0.5 == float(connection.execute(text("SELECT spent_usd FROM tenants")).scalar_one())


def test_a_commit_after_a_cancel_is_nobodys(database: Engine, ledger: JobStore, claimed: Job) -> None:
    with database.begin() as connection:
        assert connection.execute(tenant_jobs.cancel(claimed.id, claimed.tenant)).first() is not None
    assert ledger.commit(claimed, [ARTIFACT], [], 0.5) is None
    assert JobStatus.CANCELLED == now(database, claimed).status
    with database.begin() as connection:
        assert 0 == connection.execute(text("SELECT spent_usd FROM tenants")).scalar_one()


def test_the_last_attempt_tells_why_it_was_lost(database: Engine, ledger: JobStore, claimed: Job) -> None:
    with database.begin() as connection:
        connection.execute(text("UPDATE jobs SET attempt = 3"))
    lost = ledger.lose(claimed, JobError("engine_lost", "The engine died."))
    assert lost is not None
    assert (JobStatus.FAILED, JobError("engine_lost", "The engine died.")) == (lost.status, lost.error)
    with database.begin() as connection:
        assert "job.failed" == connection.execute(text("SELECT type FROM outbox")).scalar_one()


def test_a_release_refunds_the_attempt_and_keeps_the_fence(database: Engine, ledger: JobStore, claimed: Job) -> None:
    released = ledger.release(claimed)
    assert released is not None
    assert (JobStatus.QUEUED, 0, 1) == (released.status, released.attempt, released.fence)
    assert ledger.commit(claimed, [ARTIFACT], [], 0.0) is None
    assert not ledger.renew(claimed)
    assert not ledger.progress(claimed, 0.5, "step", ())


def test_a_released_job_rings_at_once(ledger: JobStore, claimed: Job, broker_url: str) -> None:
    broker = Redis.from_url(broker_url)
    assert 0 == broker.llen(model_queue(claimed.model))
    ledger.release(claimed)
    assert 1 == broker.llen(model_queue(claimed.model))


def test_a_job_of_an_earlier_incarnation_rings_at_once(ledger: JobStore, claimed: Job, broker_url: str) -> None:
    ledger.reclaim("one", 2)
    assert 1 == Redis.from_url(broker_url).llen(model_queue(claimed.model))
