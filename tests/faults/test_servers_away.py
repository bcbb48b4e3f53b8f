"""Scenarios 4 to 7: Redis flushed, killed and half-open, PostgreSQL killed, all under load.

All share one service with three GPU workers; each ends with the checker's verdict over all that happened so far.
"""

import time
from collections.abc import Iterator
from itertools import islice

import psycopg
import pytest
from redis import Redis

from cli.embedded.postgres import EmbeddedPostgres
from cli.embedded.valkey import EmbeddedValkey
from jobs.job import JobStatus
from tests.support.faults.faults import kill
from tests.support.faults.scenario import Scenario, scenario
from tests.support.servers.proxy import Proxy
from tests.support.service.sse import events
from tests.support.wait import until

pytestmark = pytest.mark.timeout(900)  # at full size, on a machine that is busy


@pytest.fixture(scope="module")
def run(
    tmp_path_factory: pytest.TempPathFactory, own_database_url: str, network: Proxy, through: str
) -> Iterator[Scenario]:
    """The service under trial."""
    folder = tmp_path_factory.mktemp("servers")
    with scenario(folder, database_url=own_database_url, broker_url=through) as begun:
        yield begun


def hears_bells(run: Scenario, timeout: float) -> None:
    """Wait until a bell wakes the worker that does not look for jobs by itself; bells rung before may be lost."""

    def consumed() -> bool:
        job_id = run.submit("null=1", server_id="bell")
        try:
            return run.ended(job_id, 2).status is JobStatus.COMPLETED
        except AssertionError:
            return False

    until(consumed, timeout, "a bell to be heard")


def bring_back(run: Scenario, server: EmbeddedPostgres) -> None:
    """Start the server again; PgBouncer tries its login at most every 15 seconds."""
    server.start()
    until(lambda: run.service.client.get("/health/ready").status_code == 200, 30, "the API to be ready again")


def test_4_a_flushall_loses_nothing(run: Scenario, broker: EmbeddedValkey, full: bool) -> None:
    count, before = 200 if full else 20, run.accepted()
    with Redis.from_url(broker.url) as client, run.load(count):
        for part in (0.3, 0.6, 0.9):
            until(lambda part=part: run.accepted() - before >= part * count, 60, "submits")
            client.flushall()
    assert [] == run.verdict(60)
    hears_bells(run, 60)
    assert [] == run.verdict(60)


def test_4_event_stream_resumed_after_a_flushall_ends(run: Scenario, broker: EmbeddedValkey) -> None:
    job_id = run.submit("compute=2 steps=40")
    path = f"/jobs/v1/{job_id}/events"
    with run.service.client.stream("GET", path) as answer:
        seen = list(islice(events(answer), 3))
    with Redis.from_url(broker.url) as client:
        client.flushall()
    with run.service.client.stream("GET", path, headers={"Last-Event-ID": seen[-1].id}) as answer:
        rest = list(events(answer))
    numbers = [event.number for event in (*seen, *rest)]
    assert sorted(set(numbers)) == numbers
    last = rest[-1]
    assert ("completed", "completed", 1) == (last.name, last.data["status"], len(last.data["outputs"]))
    assert run.service.job(job_id).event_seq == last.seq


@pytest.mark.contract("F29")
def test_5_without_redis_jobs_are_done_and_workers_start(run: Scenario, broker: EmbeddedValkey, full: bool) -> None:
    """One job is computing when it goes away."""
    deaf = run.service.newest["bell"]
    computing = run.service.running(run.submit("compute=1 steps=20", server_id="one"))
    kill(broker.process)
    began = time.monotonic()
    worker = run.service.newest["two"]
    worker.terminate()
    with run.load(200 if full else 20) as load:
        pass
    assert not [exchange for exchange in run.log if exchange.asked >= began and not 200 <= exchange.status < 500]
    amid = run.ended(computing.id)
    assert (JobStatus.COMPLETED, 1, 1) == (amid.status, amid.attempt, amid.fence)
    assert 0 == worker.wait(30)
    run.restart("two")
    waited = {"params": {"wait": 30}, "json": run.body("null=1", server_id="two")}
    assert "degraded" == run.service.client.get("/health/ready").json()["status"]
    run.service.up("two")
    answer = run.service.client.post("/generate/image/v1", headers={"Idempotency-Key": "waited"}, **waited)
    assert "completed" == answer.json()["status"]
    assert [] == run.verdict(120)
    if full:
        until(lambda: time.monotonic() - began >= 60, 61, "a minute to be over")
    broker.start()
    hears_bells(run, 60)
    assert deaf.poll() is None
    assert len(load) == len({job.result() for job in load})
    assert [] == run.verdict(60)


def test_6_a_half_open_redis_is_noticed(run: Scenario, network: Proxy, full: bool) -> None:
    network.drop()
    with run.load(200 if full else 20):
        pass
    network.heal()
    hears_bells(run, 90)
    assert [] == run.verdict(60)


def test_7_without_the_database_no_job_is_accepted(run: Scenario, own_postgres: EmbeddedPostgres, full: bool) -> None:
    with run.load(200 if full else 20, seconds=0.5):
        until(lambda: any(map(run.held_by, ("one", "two"))), 60, "a job to be under way")
        kill(own_postgres.process)
        began = time.monotonic()
        for _ in range(3):
            exchange = run.caller.submit(run.body("null=1"), key="while it is away")
            assert (503, "database_unavailable") == (exchange.status, exchange.code)
        assert 503 == run.service.client.get("/health/ready").status_code
        assert 200 == run.service.client.get("/health/live").status_code
        if full:
            until(lambda: time.monotonic() - began >= 30, 31, "half a minute to be over")
        back = time.monotonic()
        bring_back(run, own_postgres)
    assert not [
        exchange for exchange in run.log if exchange.good and exchange.asked >= began and exchange.answered < back
    ]
    run.caller.insist(run.body("null=1"), key="while it is away")
    assert [] == run.verdict(60)


@pytest.mark.contract("F29")
def test_7_a_job_outlives_an_outage_longer_than_its_lease(
    run: Scenario, own_postgres: EmbeddedPostgres, full: bool
) -> None:
    """It is computed meanwhile, and its outputs wait for the commit; no other worker takes it."""
    outage = (10 if full else 1) * run.service.settings.lease_seconds + 0.5
    waits = run.service.log("one").count("database: failed")
    job = run.service.running(run.submit("compute=1 steps=20", server_id="one"))
    kill(own_postgres.process)
    began = time.monotonic()
    until(lambda: run.service.log("one").count("database: failed") > waits, 30, "the commit to wait")
    until(lambda: time.monotonic() - began > outage, outage + 1, "the lease to be over")
    bring_back(run, own_postgres)
    ended = run.ended(job.id)
    assert (JobStatus.COMPLETED, 1, 1) == (ended.status, ended.attempt, ended.fence)
    assert [] == run.verdict(60)


def test_7_a_database_that_only_reads_for_a_while_costs_nothing(run: Scenario, own_postgres: EmbeddedPostgres) -> None:
    """A failover: the old primary refuses to write, then the connections lead to one that does."""
    before = run.service.log("one").count("heartbeat: failed")
    job = run.service.running(run.submit("compute=2 steps=40", server_id="one"))
    _read_only(own_postgres, "on")
    exchange = run.caller.submit(run.body("null=1"))
    assert (503, "database_unavailable") == (exchange.status, exchange.code)
    until(lambda: run.service.log("one").count("heartbeat: failed") > before, 10, "the worker to feel it")
    _read_only(own_postgres, "off")
    ended = run.ended(job.id)
    assert (JobStatus.COMPLETED, 1) == (ended.status, ended.attempt)
    assert [] == run.verdict(60)


def _read_only(server: EmbeddedPostgres, value: str) -> None:
    with psycopg.connect(server.url, autocommit=True, options="-c default_transaction_read_only=off") as connection:
        connection.execute(f"ALTER SYSTEM SET default_transaction_read_only = {value}")
        connection.execute("SELECT pg_reload_conf()")
    until(lambda: _new_session_says(server, value), what="the server to have read its configuration")


def _new_session_says(server: EmbeddedPostgres, value: str) -> bool:
    """Whether the server has read the setting, and so have its sessions been signaled: a reload is only asked for."""
    with psycopg.connect(server.url) as connection:
        return connection.execute("SHOW default_transaction_read_only").fetchone() == (value,)
