"""`make faults`: two thousand jobs, while processes, servers, network and disk fail at random for ten minutes."""

import secrets
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cli.embedded.postgres import EmbeddedPostgres
from cli.embedded.valkey import EmbeddedValkey
from jobs.schema.tables import jobs
from tests.support.faults.faults import small_disk
from tests.support.faults.scenario import WORKERS, Scenario, scenario
from tests.support.faults.storm import FaultRunner, Processes, Servers
from tests.support.rows.rows import Rows
from tests.support.servers.proxy import Proxy
from tests.support.wait import until

JOBS, SECONDS = 2000, 600
EXPECTED = {"attempts_exhausted", "engine_lost", "stage_deadline_exceeded", "storage_unavailable"}
"""What a job may fail with when its workers die under it again and again, and the disk is full."""


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, bool]]:
    """Where the objects are, and whether that is a small file system of its own."""
    folder = tmp_path_factory.mktemp("small") / "disk"
    with small_disk(folder, 256_000_000) as mounted:
        yield folder, mounted


@pytest.fixture(scope="module")
def run(
    tmp_path_factory: pytest.TempPathFactory,
    own_postgres: EmbeddedPostgres,
    through: str,
    disk: tuple[Path, bool],
    full: bool,
) -> Iterator[Scenario]:
    """The service under trial."""
    if not full:
        pytest.skip("ten minutes: `make faults` runs it")
    folder = tmp_path_factory.mktemp("storm")
    storage = f"file://{disk[0]}/objects"
    with scenario(
        folder,
        database_url=own_postgres.url,
        broker_url=through,
        ATELIER_STORAGE_URL=storage,
        ATELIER_PURGE_DELAY="30",
    ) as begun:
        yield begun


@pytest.mark.timeout(1800)
def test_two_thousand_jobs_outlive_ten_minutes_of_random_faults(
    run: Scenario,
    own_postgres: EmbeddedPostgres,
    broker: EmbeddedValkey,
    network: Proxy,
    disk: tuple[Path, bool],
    request: pytest.FixtureRequest,
    capsys: Any,
) -> None:
    seconds: float = request.config.getoption("--storm-seconds") or SECONDS
    seed = request.config.getoption("--storm-seed") or secrets.token_hex(4)
    count = round(JOBS * seconds / SECONDS)
    over = threading.Event()
    runners = [
        FaultRunner(f"{seed} processes", Processes(run).faults, over),
        FaultRunner(f"{seed} servers", Servers(own_postgres, broker, network, *disk).faults, over),
    ]

    def tell(words: str) -> None:
        with capsys.disabled():
            print(words, flush=True)

    tell(f"\n{count} jobs in {seconds:g} s of faults; --storm-seed {seed}")
    began = time.monotonic()
    with ThreadPoolExecutor(len(runners)) as threads:
        at_work = [threads.submit(runner.work) for runner in runners]
        try:
            with run.load(count, over=seconds) as load:
                while time.monotonic() - began < seconds and not any(runner.done() for runner in at_work):
                    until(over_in(10), 11, "ten seconds to be over", every=0.2)
                    faults = [runner.did[-1] for runner in runners if runner.did]
                    tell(f"{time.monotonic() - began:4.0f} s  {run.accepted():5d} answered 2xx  {', '.join(faults)}")
                over.set()
                for runner in at_work:
                    runner.result()
        finally:
            over.set()
    assert count == len({job.result() for job in load})
    for name in WORKERS:
        run.service.up(name, 120)
    rows = Rows(run.service.database)
    breaches = run.verdict(240)
    until(lambda: not rows.execute(jobs.select().where(jobs.c.deleted_at.is_not(None))), 120, "the last purges")
    ends = Counter((row.status, row.error["code"] if row.error else "") for row in rows.execute(jobs.select()))
    tell(f"faults: {dict(Counter(name for runner in runners for name in runner.did))}\nends: {dict(ends)}")
    assert [] == breaches
    assert [] == run.verdict(60)
    assert {code for _, code in ends if code} <= EXPECTED


def over_in(seconds: float) -> Any:
    """Whether so many seconds are over, to be asked again and again."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end
