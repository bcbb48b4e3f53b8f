"""Scenarios 8 and 9: an S3 that is killed under load, and one that is full."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from core.storage.s3 import S3Store
from jobs.job import JobStatus
from jobs.schema.tables import jobs
from tests.support.faults.scenario import Scenario, scenario
from tests.support.servers.s3 import S3Server, Swift
from tests.support.wait import until

BUCKET = "faults"

pytestmark = pytest.mark.timeout(900)  # at full size, on a machine that is busy


@pytest.fixture(scope="module")
def swift(s3: S3Server) -> Iterator[Swift]:
    """An S3 server that may be killed."""
    if not isinstance(s3, Swift):
        pytest.skip("the S3 server that ATELIER_TEST_S3_ENDPOINT names is not ours to kill")
    S3Store.from_url(s3.storage_url(BUCKET)).make_bucket()
    yield s3
    s3.start()


@pytest.fixture(scope="module")
def run(
    tmp_path_factory: pytest.TempPathFactory, module_database_url: str, valkey: str, swift: Swift
) -> Iterator[Scenario]:
    """The service under trial."""
    folder: Path = tmp_path_factory.mktemp("store")
    with scenario(
        folder,
        database_url=module_database_url,
        broker_url=valkey,
        workers=["one", "two"],
        ATELIER_STORAGE_URL=swift.storage_url(BUCKET),
    ) as begun:
        yield begun


@pytest.mark.long
def test_8_without_its_store_no_job_completes_until_it_is_back(run: Scenario, swift: Swift, full: bool) -> None:
    """Nor is any job claimed twice: what was computed waits, with its claim, for longer than a lease."""
    with run.load(200 if full else 16):
        until(lambda: run.held_by("one") or run.held_by("two"), 60, "a job to be under way")
        swift.kill()
        began = time.monotonic()
        away = run.submit("null=1")
        until(lambda: "store_away" in states(run), 60, "a worker to notice")
        outage = 60 if full else run.service.settings.lease_seconds
        until(lambda: time.monotonic() - began >= outage, outage + 1, "the outage to be over")
        assert run.service.job(away).status in (JobStatus.QUEUED, JobStatus.PROCESSING)
        swift.start()
    job = run.ended(away)
    assert (JobStatus.COMPLETED, 1) == (job.status, job.attempt)
    assert [] == run.verdict(120)
    with run.service.database.begin() as connection:
        assert 1 == connection.scalar(select(func.max(jobs.c.fence)))


def states(run: Scenario) -> set[str]:
    """The states of all servers."""
    return {server["state"] for server in run.service.client.get("/servers/v1").json()["servers"]}


@pytest.mark.long
def test_9_in_a_full_store_a_job_fails_and_shows_nothing(run: Scenario, swift: Swift) -> None:
    swift.limit(BUCKET, 1)
    failed = run.ended(run.submit("side=64"))
    assert failed.error is not None
    assert (JobStatus.FAILED, "storage_unavailable") == (failed.status, failed.error.code)
    assert (200, ()) == ((exchange := run.caller.look(failed.id)).status, exchange.outputs)
    assert [] == [key for key in run.objects() if failed.id in key]
    swift.limit(BUCKET, None)
    assert JobStatus.COMPLETED == run.ended(run.submit("side=64")).status
    assert [] == run.verdict(60)
