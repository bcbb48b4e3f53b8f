"""Scenario 28: a store that refuses, for whatever reason and however long, costs no GPU work and stops the claims.

One worker, and a bucket that is the module's own; nothing reaps but the CPU worker.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select

from core.storage.s3 import READ_SECONDS, S3Store
from jobs.job import Job, JobStatus
from jobs.schema import tables
from tests.support.faults.faults import engine_of, frozen
from tests.support.servers.proxy import Proxy
from tests.support.servers.s3 import S3Server, Swift
from tests.support.service.service import Service, service
from tests.support.wait import until

BUCKET = "away"
LONG = "compute=1 steps=20"

pytestmark = pytest.mark.timeout(600)  # on a machine that is busy


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory, module_database_url: str, valkey: str, s3: S3Server
) -> Iterator[Service]:
    """The service, whose results go to the S3 server."""
    S3Store.from_url(s3.storage_url(BUCKET)).make_bucket()
    folder = tmp_path_factory.mktemp("away")
    settings = {"ATELIER_STORAGE_URL": s3.storage_url(BUCKET)}
    with service(folder, database_url=module_database_url, broker_url=valkey, **settings) as made:
        made.gpu("one", wait=False)
        made.cpu()
        made.api()
        made.up("one")
        yield made


@contextmanager
def bucket_gone(s3: S3Server) -> Iterator[str]:
    """Without its bucket the store refuses."""
    s3.remove_bucket(BUCKET)
    try:
        yield "NoSuchBucket"
    finally:
        S3Store.from_url(s3.storage_url(BUCKET)).make_bucket()


@contextmanager
def killed(s3: S3Server) -> Iterator[str]:
    """Nothing answers."""
    swift = own(s3)
    swift.kill()
    try:
        yield "unreachable"
    finally:
        swift.start()


@contextmanager
def another_key(s3: S3Server) -> Iterator[str]:
    """The key that the workers have is no longer the right one."""
    swift = own(s3)
    swift.change_key("another")
    try:
        yield "SignatureDoesNotMatch"
    finally:
        swift.change_key(swift.secret_key)


@contextmanager
def denied(s3: S3Server) -> Iterator[str]:
    """The key is right, and may do nothing any more."""
    swift = own(s3)
    swift.allow(access=False)
    try:
        yield "AccessDenied"
    finally:
        swift.allow(access=True)


Fault = Callable[[S3Server], AbstractContextManager[str]]
FAULTS = [bucket_gone, killed, another_key, denied]


def own(s3: S3Server) -> Swift:
    if not isinstance(s3, Swift):
        pytest.skip("the S3 server that ATELIER_TEST_S3_ENDPOINT names is not ours to break")
    return s3


@contextmanager
def begun_while_computing(stack: Service, server_id: str, fault: AbstractContextManager[str]) -> Iterator[str]:
    """A fault that begins while the engine stands still: on a busy machine its job could end before."""
    engine = engine_of(stack.newest[server_id].pid)
    assert engine is not None
    with ExitStack() as exits:
        with frozen(engine):
            problem = exits.enter_context(fault)
        yield problem


def shown(stack: Service, server_id: str) -> tuple[str, str | None]:
    """State and problem of a server, as the API shows them."""
    answer = stack.client.get(f"/servers/v1/{server_id}").json()
    return answer["state"], answer["problem"]


def progress_of(job: Job) -> tuple[JobStatus, int, int]:
    return job.status, job.attempt, job.fence


def is_renewed_past(stack: Service, job: Job, seconds: float) -> bool:
    """Whether the job is held: its lease goes beyond that of its claim by so much."""
    now = stack.job(job.id)
    assert (JobStatus.PROCESSING, 1, 1) == progress_of(now)
    assert now.lease_until is not None
    assert job.lease_until is not None
    return (now.lease_until - job.lease_until).total_seconds() > seconds


@pytest.mark.contract("F29")
def test_28_outputs_wait_for_a_bucket_that_is_gone(stack: Service, s3: S3Server) -> None:
    outlast(stack, bucket_gone(s3), 1.0)


@pytest.mark.long
@pytest.mark.parametrize("fault", FAULTS)
def test_28_outputs_wait_for_longer_than_leases(stack: Service, s3: S3Server, fault: Fault) -> None:
    outlast(stack, fault(s3), 4 * stack.settings.lease_seconds)


@pytest.mark.long
def test_28_outputs_wait_for_a_store_that_hangs(stack: Service, s3: S3Server) -> None:
    """Its connections stay open and nothing comes back: each request takes the whole of its time limit."""
    port = urlsplit(own(s3).endpoint).port or 0
    with Proxy(port) as way:

        @contextmanager
        def hung() -> Iterator[str]:
            way.drop()
            yield "unreachable"
            way.heal()

        url = stack.settings.storage_url.replace(f"%3A{port}&", f"%3A{way.port}&")
        worker = stack.gpu("behind", ATELIER_STORAGE_URL=url)
        outlast(stack, hung(), 2 * READ_SECONDS, server_id="behind")
        worker.terminate()
        assert 0 == worker.wait(60)


def outlast(stack: Service, fault: AbstractContextManager[str], seconds: float, server_id: str = "one") -> None:
    """One job is computed and held, the next one is not claimed; both are done once the store is back."""
    job = stack.running(stack.submit(LONG, server_id=server_id))
    with begun_while_computing(stack, server_id, fault) as problem:
        until(lambda: ("store_away", problem) == shown(stack, server_id), 60, "the state to show it")
        waits = stack.submit("null=1", server_id=server_id)
        until(lambda: is_renewed_past(stack, job, seconds), 60 + seconds, "the claim to be held")
        assert (JobStatus.QUEUED, 0, 0) == progress_of(stack.job(waits))
    assert [(JobStatus.COMPLETED, 1, 1)] * 2 == [progress_of(stack.ended(job_id, 90)) for job_id in (job.id, waits)]
    until(lambda: ("idle", None) == shown(stack, server_id), 10, "the state to be as before")


def test_28_worker_with_a_wrong_key_claims_nothing(stack: Service, s3: S3Server) -> None:
    wrong = {"ATELIER_STORAGE_URL": stack.settings.storage_url.replace(s3.secret_key, "wrong")}
    worker = stack.gpu("wrong", **wrong)
    until(lambda: ("store_away", "SignatureDoesNotMatch") == shown(stack, "wrong"), 20, "the state to show it")
    pinned, free = stack.submit("null=1", server_id="wrong"), stack.submit("null=1")
    assert "one" == stack.ended(free).worker
    assert (JobStatus.QUEUED, 0, 0) == progress_of(stack.job(pinned))
    worker.terminate()
    assert 0 == worker.wait(30)


@pytest.mark.long
def test_28_worker_that_must_end_hands_back_what_it_holds(stack: Service, s3: S3Server) -> None:
    """For later, and its next process claims nothing before the store is back."""
    worker = stack.gpu("ends")
    job = stack.running(stack.submit(LONG, server_id="ends"))
    with begun_while_computing(stack, "ends", bucket_gone(s3)):
        until(lambda: "store_away" == shown(stack, "ends")[0], 60, "the state to show it")
        worker.terminate()
        assert 0 == worker.wait(60)
        assert (JobStatus.QUEUED, 0, 1) == progress_of(stack.job(job.id))
        assert 1 == column(stack, job, "postponed")
        worker = stack.gpu("ends")
        until(lambda: "store_away" == shown(stack, "ends")[0], 60, "the state to show it again")
        began = time.monotonic()
        until(lambda: time.monotonic() - began > 3 * stack.settings.poll_seconds, 60, "some times to look for jobs")
        assert (JobStatus.QUEUED, 0, 1) == progress_of(stack.job(job.id))
    assert (JobStatus.COMPLETED, 1, 2) == progress_of(stack.ended(job.id, 90))
    worker.kill()


@pytest.mark.long
def test_28_job_held_at_its_deadline_ends_for_the_store(stack: Service, s3: S3Server) -> None:
    worker = stack.gpu("late")
    with bucket_gone(s3):
        job = stack.running(stack.submit(LONG, server_id="late"))
        until(lambda: job.fence == column(stack, job, "store_refused_fence"), 60, "the refusal to be noted")
        with stack.database.begin() as connection:
            connection.execute(tables.jobs.update().filter_by(id=job.id).values(deadline_at=tables.jobs.c.created_at))
        ended = stack.ended(job.id)
        assert ended.error is not None
        assert (JobStatus.FAILED, "storage_unavailable") == (ended.status, ended.error.code)
    worker.kill()


def column(stack: Service, job: Job, name: str) -> object:
    with stack.database.begin() as connection:
        return connection.scalar(select(tables.jobs.c[name]).filter_by(id=job.id))
