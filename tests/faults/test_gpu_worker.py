"""Faults of one GPU worker: poisoned, hung, out of memory, stopped. Real processes, real servers.

All share one service with the worker `one`; nothing reaps here. What befalls several workers is in `test_processes`.
"""

import os
import signal
from collections.abc import Iterator

import pytest
from sqlalchemy import cast, select, text, update
from sqlalchemy.dialects.postgresql import JSONB

from cli.embedded.valkey import EmbeddedValkey
from core.ids import new_id
from jobs.job import Job, JobStatus
from jobs.params.image import ImageParams
from jobs.schema.tables import jobs
from jobs.statements import servers
from jobs.statements.queue.submit import Offer, new_job, submit
from jobs.wire.servers import ServerFacts
from tests.support.faults.faults import engine_and_encoder, engine_of, kill
from tests.support.service.processes import alive
from tests.support.service.service import CHAOS, Service, service
from tests.support.wait import until
from workers.probe_files import ProbeFiles

LONG = "compute=2 steps=40"
HASTY = "deadlines = { prepare = 2.0, step = 2.0 }"


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory, module_database_url: str, broker: EmbeddedValkey
) -> Iterator[Service]:
    """The service; a stage of the model `chaos-two` may take 2 s."""
    folder = tmp_path_factory.mktemp("worker")
    catalog = folder / "models.toml"
    catalog.write_text(CHAOS.read_text().replace('id = "chaos-two"\n', f'id = "chaos-two"\n{HASTY}\n'))
    assert HASTY in catalog.read_text()
    settings = {"ATELIER_CATALOG": str(catalog), "ATELIER_SCRATCH_DIR": str(folder / "scratch")}
    with service(folder, database_url=module_database_url, broker_url=broker.url, **settings) as made:
        made.gpu("one", wait=False)
        made.api()
        made.up("one")
        yield made


def test_next_server_of_a_name_takes_its_jobs_at_once(stack: Service) -> None:
    """No CPU worker reaps here, and the job's own lease is long: only the new incarnation can have taken it."""
    first = stack.gpu("heir", ATELIER_LEASE_SECONDS="300")
    job_id = stack.submit(LONG, server_id="heir")
    stack.running(job_id)
    first.kill()
    first.wait()
    second = stack.gpu("heir")
    job = stack.ended(job_id)
    second.kill()
    assert (JobStatus.COMPLETED, 2, 2) == (job.status, job.attempt, job.incarnation)


@pytest.mark.long
def test_a_living_holder_keeps_its_name(stack: Service) -> None:
    second = stack.gpu("one", wait=False, ATELIER_TAKEOVER_SECONDS="1")
    assert 1 == second.wait(30)
    assert "another living worker is the server 'one'" in stack.log("one")


def test_a_worker_shows_a_probe_that_it_lives_and_can_compute(stack: Service) -> None:
    probes = ProbeFiles(stack.settings, "gpu")
    stack.ended(stack.submit("null=1"))  # by an engine, without which it is not ready
    for path in (probes.alive, probes.ready):
        os.utime(path, (1000, 1000))
        until(lambda path=path: path.stat().st_mtime > 1000, what=f"a newer {path.name}")


@pytest.mark.contract("E11")
def test_12_hung_engine_is_killed_and_the_next_job_succeeds(stack: Service) -> None:
    """The stage may take 2 s; each of three attempts is spent, and a job beside it is not hurt."""
    hung, healthy = stack.submit("hang=1", model="chaos-two"), stack.submit("null=1")
    job = stack.ended(hung, 60)
    assert job.error is not None
    assert (JobStatus.FAILED, 3, "stage_deadline_exceeded") == (job.status, job.attempt, job.error.code)
    assert "took longer than 2 s" in job.error.message
    assert (JobStatus.COMPLETED, 1) == (stack.ended(healthy).status, stack.ended(healthy).attempt)


@pytest.mark.parametrize(
    ("order", "code", "cause"),
    [
        ("crash=1", "engine_lost", "the engine died"),
        ("fault=1", "attempts_exhausted", "an illegal memory access was encountered"),
    ],
)
def test_11_poison_job_fails_after_its_attempts_and_alone(stack: Service, order: str, code: str, cause: str) -> None:
    """One that ends its engine, and one under which the device breaks: each attempt leaves a fresh engine."""
    poison = stack.submit(order)
    healthy = [stack.submit("compute=0.05") for _ in range(4)]
    job = stack.ended(poison, 60)
    assert job.error is not None
    assert (JobStatus.FAILED, 3, code) == (job.status, job.attempt, job.error.code)
    assert cause in job.error.message
    assert [(JobStatus.COMPLETED, 1)] * 4 == [(ended.status, ended.attempt) for ended in map(stack.ended, healthy)]


@pytest.mark.parametrize("order", ["crash=1", pytest.param("fail=oops", marks=pytest.mark.long)])
def test_a_poison_job_costs_those_of_its_run_no_attempt(stack: Service, order: str) -> None:
    """Four jobs share a run; whatever ends it, each is computed alone then, and only the poison job fails."""
    stack.running(stack.submit("compute=4 steps=40"))  # they wait for it together
    prompts = ["compute=0.05", "null=1", order, "compute=0.01"]
    first, second, poison, third = [stack.submit(prompt, model="chaos-shared") for prompt in prompts]
    job = stack.ended(poison, 60)
    assert job.error is not None
    expected = (3, "engine_lost") if order == "crash=1" else (1, "pipeline_failed")
    assert (JobStatus.FAILED, *expected) == (job.status, job.attempt, job.error.code)
    healthy = [stack.ended(job_id) for job_id in (first, second, third)]
    assert [(JobStatus.COMPLETED, 1, 2)] * 3 == [(ended.status, ended.attempt, ended.fence) for ended in healthy]
    assert [1, 1, 1] == [ended.run.jobs for ended in healthy if ended.run is not None]


@pytest.mark.contract("E15", "F19")
def test_leaking_engine_is_replaced_and_its_pins_come_back(stack: Service) -> None:
    """The idle model leaves without a new process; the leak brings one, and no job notices."""
    settings = {"PRELOAD": "chaos-two", "IDLE_UNLOAD_SECONDS": "1", "DRIFT_BYTES": "100000000"}
    worker = stack.gpu("leaks", **{f"ATELIER_{name}": value for name, value in settings.items()})

    def resident() -> set[str]:
        return set(stack.client.get("/servers/v1/leaks").json()["resident"])

    until(lambda: {"chaos-two"} == resident(), 20, "the pinned model")
    assert JobStatus.COMPLETED == stack.ended(stack.submit("null=1", server_id="leaks")).status
    until(lambda: {"chaos", "chaos-two"} == resident(), 30, "the model of the job")
    until(lambda: {"chaos-two"} == resident(), 30, "the idle model to leave")
    assert 1 == stack.log("leaks").count("engine: started")

    jobs = [stack.submit(prompt, server_id="leaks") for prompt in ("leak=200000000", "compute=0.05")]
    assert [(JobStatus.COMPLETED, 1)] * 2 == [(job.status, job.attempt) for job in map(stack.ended, jobs)]
    until(lambda: 2 == stack.log("leaks").count("engine: started"), 20, "a fresh engine")
    until(lambda: {"chaos-two"} == resident(), 20, "the pinned model in the fresh engine")
    worker.kill()


@pytest.mark.long
def test_preloaded_model_must_be_served(stack: Service) -> None:
    worker = stack.gpu("two", wait=False, ATELIER_PRELOAD="chaos,missing")
    assert 1 == worker.wait(30)
    assert "missing cannot be served here" in stack.log("two")


@pytest.mark.contract("F18")
def test_13_failing_job_says_why_and_the_next_one_runs(stack: Service) -> None:
    failed, memory, healthy = stack.submit("fail=oops"), stack.submit("oom=1"), stack.submit("null=1")
    errors = [stack.ended(job_id).error for job_id in (failed, memory)]
    assert ["pipeline_failed", "gpu_out_of_memory"] == [error.code if error else None for error in errors]
    assert JobStatus.COMPLETED == stack.ended(healthy).status


@pytest.mark.parametrize("method", ["cancel", "delete"])
def test_a_cancelled_job_stops_and_the_worker_goes_on(stack: Service, method: str) -> None:
    job_id = stack.submit("compute=600 steps=12000")
    stack.running(job_id)
    if method == "cancel":
        assert 200 == stack.client.post(f"/jobs/v1/{job_id}/cancel").status_code
        assert JobStatus.CANCELLED == stack.job(job_id).status
    else:
        assert stack.client.delete(f"/jobs/v1/{job_id}").is_success
        assert 404 == stack.client.get(f"/jobs/v1/{job_id}").status_code
    assert JobStatus.COMPLETED == stack.ended(stack.submit("null=1"), 10).status


def test_stop_right_after_a_claim_costs_a_pinned_job_nothing(stack: Service) -> None:
    """The server was registered once and is away; when it comes, the stop finds it on its way into Celery's loop."""
    facts = ServerFacts(state="ready", device="cpu", serves=("chaos",))
    with stack.database.begin() as connection:
        connection.execute(servers.register("past", facts, lease_seconds=-1.0))
    pinned, free = stack.submit("compute=8 steps=160", server_id="past"), stack.submit("null=1")
    assert "one" == stack.ended(free).worker
    assert JobStatus.QUEUED == stack.job(pinned).status
    worker = stack.gpu("past", ATELIER_GRACE_SECONDS="0.5")
    children = until(lambda: len(found := engine_and_encoder(worker.pid)) == 2 and found, 20, "engine and encoder")
    until(lambda: stack.job(pinned).status is JobStatus.PROCESSING, 20, "the claim")
    worker.terminate()
    assert 0 == worker.wait(30)
    assert not any(map(alive, children))
    assert (JobStatus.QUEUED, 0, 1) == progress_of(stack.job(pinned))


def test_older_worker_does_a_job_of_a_newer_api(stack: Service) -> None:
    """Its schema has a column more, and its parameters a field that this worker has never heard of."""
    job_id = new_id("job")
    params = ImageParams(prompt="null=1")
    newer = jobs.c.params.op("||")(cast({"mood": {"joy": 7}}, JSONB))
    with stack.database.begin() as connection:
        connection.execute(text("ALTER TABLE jobs ADD COLUMN mood text NOT NULL DEFAULT 'good'"))
        connection.execute(
            submit(
                new_job(
                    job_id=job_id,
                    tenant=stack.tenant,
                    offers=[Offer("chaos")],
                    params=params,
                    seed=7,
                    max_attempts=3,
                    deadline_seconds=60,
                )
            )
        )
        connection.execute(update(jobs).where(jobs.c.id == job_id).values(params=newer))
    assert (JobStatus.COMPLETED, 1) == (stack.ended(job_id).status, stack.job(job_id).attempt)
    with stack.database.begin() as connection:
        assert {"joy": 7} == connection.scalar(select(jobs.c.params["mood"]).where(jobs.c.id == job_id))
        connection.execute(text("ALTER TABLE jobs DROP COLUMN mood"))


def test_a_job_claimed_ahead_is_unhurt_by_the_one_before_it(stack: Service) -> None:
    """It computes in the next engine when this one is killed, and is handed back at once when the worker ends."""
    worker = stack.gpu("ahead")
    first = stack.submit("compute=0.4 steps=8 hang_at=7", server_id="ahead")
    second = stack.submit("null=1", server_id="ahead")
    claimed_while_it_hangs(stack, second, first)
    os.kill(engine_of(worker.pid), signal.SIGKILL)
    assert (JobStatus.COMPLETED, 1, 1) == progress_of(stack.ended(second))
    third = stack.submit("null=1", server_id="ahead")
    claimed_while_it_hangs(stack, third, first)
    worker.terminate()
    until(lambda: (JobStatus.QUEUED, 0, 1) == progress_of(stack.job(third)), 10, "it to be handed back")
    assert worker.poll() is None
    worker.wait(30)
    assert (JobStatus.QUEUED, 1) == (stack.job(first).status, stack.job(first).attempt)


def test_36_a_killed_workers_jobs_start_again_first(stack: Service) -> None:
    """One computes and one is claimed ahead; jobs of the same tenant and server have waited for longer."""
    worker = stack.gpu("killed")
    first = stack.submit("compute=0.4 steps=8 hang_at=7", server_id="killed")
    second = stack.submit("null=1", server_id="killed")
    claimed_while_it_hangs(stack, second, first)
    others = [stack.submit("null=1", server_id="killed") for _ in range(3)]
    with stack.database.begin() as connection:
        older = jobs.c.created_at - text("interval '1 hour'")
        connection.execute(update(jobs).where(jobs.c.id.in_(others)).values(available_at=older))
    kill(worker)
    worker = stack.gpu("killed")
    until(lambda: 2 == stack.job(second).fence, 20, "the job that was claimed ahead to be so again")
    again = [stack.job(job_id) for job_id in (first, second)]
    assert [(JobStatus.PROCESSING, 2, 2)] * 2 == [progress_of(job) for job in again]
    assert again == sorted(again, key=lambda job: job.started_at or job.deadline_at)
    assert [(JobStatus.QUEUED, 0, 0)] * 3 == [progress_of(stack.job(job_id)) for job_id in others]
    assert 200 == stack.client.post(f"/jobs/v1/{first}/cancel").status_code
    os.kill(engine_of(worker.pid), signal.SIGKILL)  # by now the first may hang again, deaf to the cancel
    assert {JobStatus.COMPLETED} == {stack.ended(job_id).status for job_id in (second, *others)}
    worker.kill()


def claimed_while_it_hangs(stack: Service, ahead: str, hanging: str) -> None:
    until(lambda: JobStatus.PROCESSING == stack.job(ahead).status, 20, f"{ahead} to be claimed")
    assert "step" == stack.running(hanging).stage


def progress_of(job: Job) -> tuple[JobStatus, int, int]:
    return job.status, job.attempt, job.fence
