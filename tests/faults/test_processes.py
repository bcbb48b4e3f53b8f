"""Scenarios 1, 2, 3, 9, 10, 14, 15, 16: workers and the API killed, stopped, ended; a full disk; a wrong clock; races.

All share one service with three GPU workers; each ends with the checker's verdict over all that happened so far.
"""

import itertools
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cli.embedded.valkey import EmbeddedValkey
from jobs.job import Job, JobStatus
from jobs.statements.queue import claimed as claims
from tests.support.faults.faults import engine_and_encoder, filled, frozen, skewed, small_disk
from tests.support.faults.scenario import WORKERS, Scenario, scenario
from tests.support.service.processes import alive
from tests.support.wait import until

HOUR = 3600

pytestmark = pytest.mark.timeout(900)  # at full size, on a machine that is busy


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, bool]]:
    """Where the objects are, and whether that is a small file system of its own."""
    folder = tmp_path_factory.mktemp("small") / "disk"
    with small_disk(folder, 64_000_000) as mounted:
        yield folder, mounted


@pytest.fixture(scope="module")
def run(
    tmp_path_factory: pytest.TempPathFactory, module_database_url: str, disk: tuple[Path, bool]
) -> Iterator[Scenario]:
    """The service under trial."""
    folder = tmp_path_factory.mktemp("processes")
    with (
        EmbeddedValkey(folder / "valkey") as valkey,
        scenario(
            folder,
            database_url=module_database_url,
            broker_url=valkey.url,
            ATELIER_STORAGE_URL=f"file://{disk[0]}/objects",
        ) as begun,
    ):
        yield begun


@pytest.mark.long
def test_1_workers_killed_again_and_again_lose_no_job(run: Scenario, full: bool, capsys: Any) -> None:
    """At full size one every 2 s; but not the last that is up, since on a busy machine to start takes longer."""
    lost: set[tuple[str, int]] = set()
    kills = 0
    with run.load(200 if full else 24, seconds=0.4) as load:
        for name in itertools.cycle(WORKERS) if full else WORKERS:
            begun = time.monotonic()
            if full:
                until(lambda name=name: has_another(run, name) or run.is_over(load), 60, "two workers to be up")
            else:
                until(lambda name=name: run.held_by(name), 60, "a job to lose")
            if full and run.is_over(load):
                break
            lost |= run.kill(name)
            run.restart(name)
            kills += 1
            if full:
                until(lambda begun=begun: time.monotonic() - begun >= 2, 3, "two seconds to be over")
    until(lambda: not run.unrecovered(lost), 45, "each job to be taken from the worker that was killed")
    assert [] == run.verdict(120)
    errors = [error.code for error in run.errors()]
    assert {"attempts_exhausted"} >= set(errors)
    if full:
        with capsys.disabled():
            print(f"\n{kills} workers killed, {len(lost)} claims lost with them, {len(errors)} jobs out of attempts")
    for name in WORKERS:
        run.service.up(name)


def has_another(run: Scenario, name: str) -> bool:
    """Whether this worker is up, and not as the only one."""
    return run.service.is_up(name) and any(run.service.is_up(other) for other in WORKERS if other != name)


@pytest.mark.long
def test_1_engine_and_encoder_die_with_their_worker(run: Scenario) -> None:
    children = engine_and_encoder(run.service.newest["one"].pid)
    assert 2 == len(children)
    run.kill("one")
    until(lambda: not any(map(alive, children)), 10, "engine and encoder to die with their supervisor")
    run.restart("one")
    run.service.up("one")


@pytest.mark.parametrize("refunded", [False, True])
def test_2_a_stopped_worker_commits_nothing_when_it_wakes(run: Scenario, refunded: bool, full: bool) -> None:
    """Its claim runs out, or is handed on with a refund, which brings the attempt back to 1, but not the fence."""
    job_id = run.submit("compute=1 steps=20", server_id="one", pin="prefer", prefer_seconds=1)
    claimed = run.service.running(job_id)
    assert claimed.worker is not None
    sleeper = run.service.newest[claimed.worker]
    before = excuses(run, claimed.worker)
    with frozen(sleeper.pid):  # the engine goes on and finishes
        began = time.monotonic()
        if refunded:
            with run.service.database.begin() as connection:
                assert connection.execute(claims.release(job_id, claimed.fence)).first() is not None
        job = run.ended(job_id)
        if full and not refunded:
            until(lambda: time.monotonic() - began >= 60, 61, "a minute to be over")
    assert (JobStatus.COMPLETED, 1 if refunded else 2, 2) == (job.status, job.attempt, job.fence)
    assert claimed.worker != job.worker
    until(lambda: excuses(run, str(claimed.worker)) > before, 30, "it to notice")
    assert job == run.service.job(job_id)
    until(lambda: job.artifacts[0].keys == objects(run, job_id), 10, "its outputs to be removed")
    assert [] == run.verdict(60)


def excuses(run: Scenario, worker: str) -> int:
    """How often a worker has said that a claim is not its own any more."""
    return run.service.log(worker).count("claim: gone")


def objects(run: Scenario, job_id: str) -> set[str]:
    return {key for key in run.objects() if f"/{job_id}/" in key}


@pytest.mark.long
def test_3_api_killed_during_submits_loses_and_repeats_no_job(run: Scenario, full: bool) -> None:
    count, kills = (500, 8) if full else (40, 2)
    before = run.accepted()
    with run.load(count, seconds=0.0) as load:
        for number in range(1, kills + 1):
            until(lambda n=number: run.accepted() - before >= count * n // (kills + 1), 60, "submits")
            run.kill("api")
            run.service.api()
    assert count == len({job.result() for job in load})
    assert [] == run.verdict(120)


def test_9_on_a_full_disk_a_job_fails_and_shows_nothing(run: Scenario, disk: tuple[Path, bool]) -> None:
    folder, mounted = disk
    if not mounted:
        pytest.skip("no small file system can be mounted here: that takes root, or CAP_SYS_ADMIN")
    with filled(folder):
        failed = run.ended(run.submit("side=64"))
        assert failed.error is not None
        assert (JobStatus.FAILED, "storage_unavailable") == (failed.status, failed.error.code)
        assert (200, ()) == ((exchange := run.caller.look(failed.id)).status, exchange.outputs)
        assert set() == objects(run, failed.id)
        assert not any(path.is_file() for path in (folder / "objects").glob(f"*/{failed.id}/**/*"))
    assert JobStatus.COMPLETED == run.ended(run.submit("side=64")).status
    assert [] == run.verdict(60)


def test_10_a_wrong_clock_reaps_nothing_and_claims_nothing(run: Scenario) -> None:
    """One CPU worker an hour ahead reaps no job early, one an hour behind none late, a GPU worker claims nothing."""
    ahead, behind = skewed(HOUR), skewed(-HOUR)
    if ahead is None or behind is None:
        pytest.skip("libfaketime is not installed here (Debian: apt install faketime)")
    replace_cpu(run, **ahead)
    run.service.gpu("late", wait=False, **ahead)
    job = run.ended(run.submit("compute=4 steps=80"))  # longer than its lease
    assert (JobStatus.COMPLETED, 1) == (job.status, job.attempt)
    replace_cpu(run, **behind)
    running = run.service.running(run.submit("compute=1.5 steps=30"))
    run.kill(str(running.worker))
    job = run.ended(running.id, 45)
    assert (JobStatus.COMPLETED, 2) == (job.status, job.attempt)
    run.restart(str(running.worker))
    until(lambda: "no job is claimed until it is right" in run.service.log("late"), 60, "it to say that it is wrong")
    waits = run.submit("null=1", server_id="late")
    assert "clock_skewed" == run.service.client.get("/servers/v1/late").json()["state"]
    run.service.up("late")
    assert JobStatus.COMPLETED == run.ended(run.submit("null=1")).status
    assert JobStatus.QUEUED == run.service.job(waits).status
    assert "cancelled" == run.caller.cancel(waits).state
    run.kill("late")
    replace_cpu(run)
    run.service.up(str(running.worker))
    assert [] == run.verdict(60)


def replace_cpu(run: Scenario, **variables: str) -> None:
    """Another CPU worker in the place of the present one."""
    run.kill("cpu")  # under libfaketime 0.9.10 time.sleep fails, which only an orderly stop needs
    before = run.service.log("cpu").count("cpu worker: started")
    run.service.cpu(**variables)
    until(lambda: run.service.log("cpu").count("cpu worker: started") > before, 30, "the CPU worker")


def test_14_sigterm_finishes_short_jobs_and_returns_long_ones(run: Scenario) -> None:
    short = run.submit("compute=1 steps=20", server_id="bell")
    long = run.submit("compute=3 steps=60", server_id="one", pin="prefer", prefer_seconds=1)
    assert ["bell", "one"] == [run.service.running(job_id).worker for job_id in (short, long)]
    ending = [run.service.newest[name] for name in ("bell", "one")]
    for worker in ending:
        worker.terminate()
    assert [0, 0] == [worker.wait(30) for worker in ending]
    assert (JobStatus.COMPLETED, 1, 1) == progress(run.service.job(short))
    job = run.ended(long)
    assert (JobStatus.COMPLETED, 1, 2) == progress(job)
    assert "two" == job.worker
    for name in ("bell", "one"):
        run.restart(name)
    assert [] == run.verdict(60)
    for name in ("bell", "one"):
        run.service.up(name)


def progress(job: Job) -> tuple[JobStatus, int, int]:
    return job.status, job.attempt, job.fence


@pytest.mark.long
def test_15_a_hundred_submits_at_once_with_one_key_make_one_job(run: Scenario) -> None:
    body = run.body("null=1")
    with ThreadPoolExecutor(100) as threads:
        answers = list(threads.map(lambda _: run.caller.submit(body, key="one of a hundred"), range(100)))
    assert {202} == {exchange.status for exchange in answers}
    assert 1 == len({exchange.job_id for exchange in answers})
    other = run.caller.submit(run.body("compute=1"), key="one of a hundred")
    assert (422, "idempotency_key_reused") == (other.status, other.code)
    assert [] == run.verdict(60)


@pytest.mark.long
def test_16_cancels_that_race_commits_leave_one_end(run: Scenario, full: bool) -> None:
    def race(number: int) -> str:
        seconds = 0.005 * 1000 ** random.Random(number).random()  # up to 5: on a slow machine too, some cancels win
        exchange = run.caller.insist(run.body(f"compute={seconds:.3f}"), key=f"race {number}")
        until(lambda: run.caller.look(exchange.job_id).state != "queued", 60, "the job to be claimed")
        return run.caller.cancel(exchange.job_id).state

    with ThreadPoolExecutor(6) as threads:
        ends = list(threads.map(race, range(500 if full else 40)))
    assert {"cancelled", "completed"} == set(ends)
    assert [] == run.verdict(120)
