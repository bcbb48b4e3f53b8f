"""A worker's writes on real PostgreSQL, with a connection that is lost at the worst moment."""

from collections.abc import Iterator
from datetime import timedelta

import msgspec
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
from jobs.statements.queue.claim_function import claim_function
from jobs.wire.servers import ServerFacts
from tests.support.rows.traffic import traffic
from workers.gpu.job.job_store import JobStore

ARTIFACT = Artifact(key="t/j/1/a.webp", media_type="image/webp", bytes=1, sha256="a")


@pytest.fixture
def settings(database_url: str, broker_url: str) -> Settings:
    return Settings(database_url=database_url, broker_url=broker_url)


@pytest.fixture
def db(settings: Settings) -> Iterator[Engine]:
    db = sync_engine(settings)
    yield db
    db.dispose()


@pytest.fixture
def job_store(db: Engine, settings: Settings) -> JobStore:
    return JobStore(db, settings)


@pytest.fixture
def claimed(db: Engine, job_store: JobStore) -> Job:
    """A job with a callback, claimed by this worker."""
    with db.begin() as connection:
        tenant = connection.execute(api_keys.ensure_tenant("t")).scalar_one()
        facts = ServerFacts(state="idle", device="cpu", serves=("chaos",))
        connection.execute(servers.register("one", facts, lease_seconds=60))
        params = ImageParams(prompt="null=1", callback_url="http://example.com/")
        connection.execute(
            submit.submit(
                submit.new_job(
                    job_id=new_id("job"),
                    tenant=tenant,
                    offers=[submit.Offer("chaos", 0.5)],
                    params=params,
                    seed=1,
                    max_attempts=3,
                    deadline_seconds=60,
                )
            )
        )
    job = job_store.claim(CLAIMANT)
    assert job is not None
    return job


def now(db: Engine, job: Job) -> Job:
    with db.begin() as connection:
        return job_from_row(connection.execute(tenant_jobs.by_id(job.id)).one())


CLAIMANT = Claimant(server_id="one", incarnation=1, models=("chaos",))


def test_a_claim_is_one_round_trip(db: Engine, job_store: JobStore, claimed: Job) -> None:
    job_store.release(claimed)
    with traffic(db) as seen:
        assert job_store.claim(CLAIMANT) is not None
        assert job_store.claim(CLAIMANT) is None
    assert 2 == seen.round_trips


def test_the_end_of_a_job_without_a_price_is_one_round_trip(db: Engine, job_store: JobStore, claimed: Job) -> None:
    stale = msgspec.structs.replace(claimed, fence=0)
    assert job_store.commit(stale, [ARTIFACT], [], 0.0) is None  # the connection prepares the call at its first
    with traffic(db) as seen:
        assert job_store.commit(claimed, [ARTIFACT], [], 0.0) is not None
    assert 1 == seen.round_trips


def test_a_database_without_the_function_gives_jobs_too(
    db: Engine, job_store: JobStore, claimed: Job, caplog: pytest.LogCaptureFixture
) -> None:
    job_store.release(claimed)
    with db.begin() as connection:
        for dedicated in (False, True):
            connection.execute(text(f"DROP FUNCTION {claim_function(dedicated=dedicated).name}"))
    again = job_store.claim(CLAIMANT)
    assert (claimed.id, 2) == (again and again.id, again and again.fence)
    assert job_store.claim(CLAIMANT) is None
    assert ["database: functions missing, each statement is planned anew; run `atelier migrate`"] == caplog.messages


def test_a_commit_whose_answer_was_lost_is_recognized(db: Engine, job_store: JobStore, claimed: Job) -> None:
    """The server commits, and the connection breaks before it can say so.

    The worker must not take its own result for another's, or it would remove the outputs.
    """
    lost = []

    def lose_the_answer(connection: Connection) -> None:
        if not lost:
            lost.append(True)
            connection.connection.driver_connection.commit()  # type: ignore[union-attr]
            pid = connection.connection.driver_connection.info.backend_pid  # type: ignore[union-attr]
            with sync_engine(Settings(database_url=str(db.url.render_as_string(False)))).begin() as other:
                other.execute(text(f"SELECT pg_terminate_backend({pid})"))
            connection.exec_driver_sql("SELECT 1")

    event.listen(db, "commit", lose_the_answer)
    done = job_store.commit(claimed, [ARTIFACT], [], 0.5)
    assert lost
    assert done is not None
    assert (JobStatus.COMPLETED, 1) == (done.status, len(done.artifacts))
    with db.begin() as connection:
        assert 1 == connection.execute(text("SELECT count(*) FROM outbox")).scalar_one()
        assert 0.5 == float(connection.execute(text("SELECT spent_usd FROM tenants")).scalar_one())


def test_a_commit_after_a_cancel_changes_nothing(db: Engine, job_store: JobStore, claimed: Job) -> None:
    with db.begin() as connection:
        assert connection.execute(tenant_jobs.cancel(claimed.id, claimed.tenant)).first() is not None
    assert job_store.commit(claimed, [ARTIFACT], [], 0.5) is None
    assert JobStatus.CANCELLED == now(db, claimed).status
    with db.begin() as connection:
        assert 0 == connection.execute(text("SELECT spent_usd FROM tenants")).scalar_one()


def test_a_lost_last_attempt_fails_the_job_with_its_error(db: Engine, job_store: JobStore, claimed: Job) -> None:
    with db.begin() as connection:
        connection.execute(text("UPDATE jobs SET attempt = 3"))
    lost = job_store.lose(claimed, JobError("engine_lost", "The engine died."))
    assert lost is not None
    assert (JobStatus.FAILED, JobError("engine_lost", "The engine died.")) == (lost.status, lost.error)
    with db.begin() as connection:
        assert "job.failed" == connection.execute(text("SELECT type FROM outbox")).scalar_one()


def test_a_release_refunds_the_attempt_and_keeps_the_fence(db: Engine, job_store: JobStore, claimed: Job) -> None:
    released = job_store.release(claimed)
    assert released is not None
    assert (JobStatus.QUEUED, 0, 1) == (released.status, released.attempt, released.fence)
    assert job_store.commit(claimed, [ARTIFACT], [], 0.0) is None


def test_a_commit_waits_for_the_database_until_the_deadline(
    db: Engine, settings: Settings, claimed: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was computed is not computed again for an outage of hours, as far as the job has them."""
    shown: list[float] = []
    monkeypatch.setattr(
        "workers.gpu.job.job_store.retry", lambda work, *, seconds, **_: (shown.append(seconds), work())[1]
    )
    job_store = JobStore(db, settings)
    day = msgspec.structs.replace(claimed, deadline_at=claimed.deadline_at + timedelta(days=1))
    assert job_store.commit(day, [ARTIFACT], [], 0.0) is not None
    assert [86_460.0] == [pytest.approx(seconds, abs=1.0) for seconds in shown]


def test_a_postponed_job_comes_back_later(db: Engine, job_store: JobStore, claimed: Job, settings: Settings) -> None:
    assert job_store.note_refusal(claimed)
    released = job_store.postpone(claimed)
    assert released is not None
    assert (JobStatus.QUEUED, 0, 1) == (released.status, released.attempt, released.fence)
    waits = (released.available_at - released.queued_at).total_seconds()  # type: ignore[operator]
    assert settings.retry_backoff - 1 < waits <= settings.retry_backoff + 1


def test_a_refusal_that_is_not_written_is_no_error(settings: Settings, claimed: Job) -> None:
    away = sync_engine(msgspec.structs.replace(settings, database_url="postgresql://127.0.0.1:1/none"))
    assert not JobStore(away, settings).note_refusal(claimed)


def test_a_released_job_rings_at_once(job_store: JobStore, claimed: Job, broker_url: str) -> None:
    broker = Redis.from_url(broker_url)
    assert 0 == broker.llen(model_queue(claimed.model))
    job_store.release(claimed)
    assert 1 == broker.llen(model_queue(claimed.model))


def test_a_job_of_an_earlier_incarnation_rings_at_once(job_store: JobStore, claimed: Job, broker_url: str) -> None:
    job_store.reclaim("one", 2)
    assert 1 == Redis.from_url(broker_url).llen(model_queue(claimed.model))
