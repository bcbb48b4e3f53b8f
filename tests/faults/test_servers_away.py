"""Redis and PostgreSQL taken away under load."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from redis import Redis

from cli.embedded import EmbeddedPostgres, EmbeddedValkey
from jobs.database import migrate
from jobs.job import JobStatus
from tests.support.service import Service, service, sse
from tests.support.wait import until


def test_flushall_with_ten_jobs_queued_loses_none(stack: Service, own_valkey: EmbeddedValkey) -> None:
    stack.api()
    stack.gpu("one").terminate()
    jobs = [stack.submit("compute=0.05") for _ in range(10)]
    with Redis.from_url(own_valkey.url) as client:
        assert 10 == client.llen("model.chaos")
        client.flushall()
    stack.gpu("two")
    assert [JobStatus.COMPLETED] * 10 == [stack.ended(job_id).status for job_id in jobs]


def test_bells_ring_again_after_a_flushall(stack: Service, own_valkey: EmbeddedValkey) -> None:
    """With a poll interval of an hour only a bell can have woken the worker."""
    stack.api()
    stack.gpu("one", ATELIER_POLL_SECONDS="3600")
    assert JobStatus.COMPLETED == stack.ended(stack.submit("null=1"), 10).status
    with Redis.from_url(own_valkey.url) as client:
        client.flushall()
    assert JobStatus.COMPLETED == stack.ended(stack.submit("null=1"), 10).status


def test_without_redis_submits_answer_within_a_second_and_jobs_complete(
    stack: Service, own_valkey: EmbeddedValkey
) -> None:
    stack.api()
    stack.gpu("one")
    own_valkey.stop()
    stack.client.timeout = 1.0  # the promise: a submit that takes longer fails this test
    jobs = [stack.submit("null=1") for _ in range(5)]
    stack.client.timeout = 30.0
    assert [JobStatus.COMPLETED] * 5 == [stack.ended(job_id).status for job_id in jobs]
    assert "degraded" == stack.client.get("/health/ready").json()["status"]
    assert JobStatus.COMPLETED == _status(
        stack.client.post("/generate/image/v1", params={"wait": 20}, json={"prompt": "null=1", "model": "chaos"}).json()
    )
    own_valkey.start()
    stack.gpu("late", ATELIER_POLL_SECONDS="3600")
    assert JobStatus.COMPLETED == stack.ended(stack.submit("null=1", server_id="late")).status


def test_a_worker_hears_bells_again_after_redis_was_away(stack: Service, own_valkey: EmbeddedValkey) -> None:
    """With a poll interval of an hour only a bell can have woken the worker."""
    stack.api()
    stack.gpu("one", ATELIER_POLL_SECONDS="3600")
    assert JobStatus.COMPLETED == stack.ended(stack.submit("null=1")).status
    own_valkey.stop()
    until(
        lambda: "Trying to reconnect" in stack.log("one") or "Connection to broker lost" in stack.log("one"), 20, "it"
    )
    own_valkey.start()
    until(lambda: stack.client.get("/health/ready").json()["status"] == "ok", 20, "the API to see the broker again")
    assert JobStatus.COMPLETED == stack.ended(stack.submit("null=1"), 60).status


def test_a_worker_starts_without_redis(stack: Service, own_valkey: EmbeddedValkey) -> None:
    stack.api()
    own_valkey.stop()
    worker = stack.gpu("one")
    assert JobStatus.COMPLETED == stack.ended(stack.submit("null=1")).status
    worker.terminate()
    assert 0 == worker.wait(20)


def test_an_event_stream_resumed_after_a_flushall_ends_with_the_terminal_event(
    stack: Service, own_valkey: EmbeddedValkey
) -> None:
    stack.api()
    stack.gpu("one")
    job_id = stack.submit("compute=3 steps=60")
    path = f"/jobs/v1/{job_id}/events"
    with stack.client.stream("GET", path) as answer:
        events = sse(answer.iter_lines())
        seen = [next(events)[0] for _ in range(3)]
    assert seen == sorted(seen)
    with Redis.from_url(own_valkey.url) as client:
        client.flushall()
    with stack.client.stream("GET", path, headers={"Last-Event-ID": str(seen[-1])}) as answer:
        rest = list(sse(answer.iter_lines()))
    assert all(number > seen[-1] for number, _, _ in rest)
    number, name, status = rest[-1]
    assert ("completed", "completed", 1) == (name, status["status"], len(status["outputs"]))
    assert stack.job(job_id).event_seq == number


@pytest.fixture
def fragile(tmp_path: Path, own_postgres: EmbeddedPostgres, own_valkey: EmbeddedValkey) -> Iterator[Service]:
    """A service on a PostgreSQL that may be stopped."""
    migrate(own_postgres.url)
    with service(tmp_path, database_url=own_postgres.url, broker_url=own_valkey.url) as made:
        yield made


def test_without_the_database_nothing_is_accepted_and_running_jobs_recover(
    fragile: Service, own_postgres: EmbeddedPostgres
) -> None:
    fragile.api()
    fragile.cpu()
    fragile.gpu("one")
    job_id = fragile.submit("compute=2 steps=20")
    fragile.running(job_id)
    own_postgres.stop()
    for _ in range(3):
        answer = fragile.client.post("/generate/image/v1", json={"prompt": "null=1", "model": "chaos"})
        assert (503, "database_unavailable") == (answer.status_code, answer.json()["code"])
    assert 503 == fragile.client.get("/health/ready").status_code
    assert 200 == fragile.client.get("/health/live").status_code
    own_postgres.start()
    until(lambda: fragile.client.get("/health/ready").status_code == 200, 20, "the API to be ready again")
    assert JobStatus.COMPLETED == fragile.ended(job_id, 40).status
    assert JobStatus.COMPLETED == fragile.ended(fragile.submit("null=1")).status
    with fragile.database.begin() as connection:
        assert 2 == connection.exec_driver_sql("SELECT count(*) FROM jobs").scalar_one()


def test_a_database_that_only_reads_for_a_while_costs_nothing(fragile: Service, own_postgres: EmbeddedPostgres) -> None:
    """A failover: the old primary refuses to write, then the connections lead to one that does."""
    fragile.api()
    fragile.gpu("one")
    job_id = fragile.submit("compute=2 steps=40")
    fragile.running(job_id)
    _read_only(own_postgres, "on")
    answer = fragile.client.post("/generate/image/v1", json={"prompt": "null=1", "model": "chaos"})
    assert (503, "database_unavailable") == (answer.status_code, answer.json()["code"])
    until(lambda: "was not written" in fragile.log("one"), 10, "the worker to feel it")
    _read_only(own_postgres, "off")
    job = fragile.ended(job_id)
    assert (JobStatus.COMPLETED, 1) == (job.status, job.attempt)
    assert [JobStatus.COMPLETED] * 3 == [fragile.ended(fragile.submit("null=1")).status for _ in range(3)]


def _read_only(server: EmbeddedPostgres, value: str) -> None:
    with psycopg.connect(server.url, autocommit=True, options="-c default_transaction_read_only=off") as connection:
        connection.execute(f"ALTER SYSTEM SET default_transaction_read_only = {value}")
        connection.execute("SELECT pg_reload_conf()")


def _status(answer: dict[str, str]) -> str:
    return answer["status"]
