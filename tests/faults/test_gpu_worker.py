"""Faults of GPU workers: killed, stopped, poisoned, hung, terminated. Real processes, real servers."""

import os
import signal
import time

import pytest

from jobs.job import Job, JobStatus
from tests.support.faults import engine_of
from tests.support.processes import alive, descendants
from tests.support.service import CHAOS, Service
from tests.support.wait import until

LONG = "compute=2 steps=40"


def test_the_next_holder_of_a_name_takes_the_jobs_of_the_last_at_once(stack: Service) -> None:
    """No CPU worker reaps here, and the job's own lease is long: only the new incarnation can have taken it."""
    stack.api()
    first = stack.gpu("one", ATELIER_LEASE_SECONDS="300")
    job_id = stack.submit(LONG)
    stack.running(job_id)
    first.kill()
    first.wait()
    stack.gpu("one")
    job = stack.ended(job_id)
    assert (JobStatus.COMPLETED, 2, 2) == (job.status, job.attempt, job.incarnation)


def test_a_living_holder_keeps_its_name(stack: Service) -> None:
    stack.gpu("one")
    second = stack.gpu("one", wait=False, ATELIER_TAKEOVER_SECONDS="1")
    assert 1 == second.wait(30)
    assert "another living worker is the server 'one'" in stack.log("one")


def test_sigterm_right_after_a_claim_costs_nothing(stack: Service) -> None:
    """The worker may still be on its way into Celery's loop."""
    stack.api()
    stack.gpu("past").terminate()
    job_id = stack.submit("compute=8 steps=160", server_id="past")
    worker = stack.gpu("past", ATELIER_GRACE_SECONDS="0.5")
    until(lambda: stack.job(job_id).status is JobStatus.PROCESSING, 10, "the claim")
    worker.terminate()
    assert 0 == worker.wait(30)
    job = stack.job(job_id)
    assert (JobStatus.QUEUED, 0) == (job.status, job.attempt)


def test_a_hung_engine_is_killed_at_its_deadline_and_the_next_job_succeeds(stack: Service) -> None:
    """The stage may take 2 s; each of three attempts is spent, and a job beside it is not hurt."""
    stack.api()
    catalog = stack.folder / "models.toml"
    catalog.write_text(
        CHAOS.read_text().replace('id = "chaos"\n', 'id = "chaos"\ndeadlines = { prepare = 2.0, step = 2.0 }\n')
    )
    stack.gpu("one", ATELIER_CATALOG=str(catalog))
    hung, healthy = stack.submit("hang=1"), stack.submit("null=1")
    job = stack.ended(hung, 60)
    assert job.error is not None
    assert (JobStatus.FAILED, 3, "attempts_exhausted") == (job.status, job.attempt, job.error.code)
    assert "took longer than 2 s" in job.error.message
    assert (JobStatus.COMPLETED, 1) == (stack.ended(healthy).status, stack.ended(healthy).attempt)


@pytest.mark.parametrize(
    ("order", "cause"), [("crash=1", "the engine died"), ("fault=1", "an illegal memory access was encountered")]
)
def test_a_poison_job_fails_after_its_attempts_and_hurts_no_other(stack: Service, order: str, cause: str) -> None:
    """One that ends its engine, and one under which the device breaks: each attempt leaves a fresh engine."""
    stack.api()
    stack.gpu("one")
    poison = stack.submit(order)
    healthy = [stack.submit("compute=0.05") for _ in range(4)]
    job = stack.ended(poison, 60)
    assert job.error is not None
    assert (JobStatus.FAILED, 3, "attempts_exhausted") == (job.status, job.attempt, job.error.code)
    assert cause in job.error.message
    assert [(JobStatus.COMPLETED, 1)] * 4 == [(ended.status, ended.attempt) for ended in map(stack.ended, healthy)]


def test_an_engine_that_leaks_is_replaced_between_jobs_and_what_is_pinned_comes_back(stack: Service) -> None:
    """The idle model leaves without a new process; the leak brings one, and no job notices."""
    stack.api()
    stack.gpu("one", ATELIER_PRELOAD="chaos-two", ATELIER_IDLE_UNLOAD_SECONDS="1", ATELIER_DRIFT_BYTES="100000000")

    def resident() -> set[str]:
        (server,) = stack.client.get("/servers/v1").json()["servers"]
        return set(server["resident"])

    until(lambda: {"chaos-two"} == resident(), 20, "the pinned model")
    assert JobStatus.COMPLETED == stack.ended(stack.submit("null=1")).status
    until(lambda: {"chaos", "chaos-two"} == resident(), 10, "the model of the job")
    until(lambda: {"chaos-two"} == resident(), 10, "the idle model to leave")
    assert 1 == stack.log("one").count("engine is up")

    jobs = [stack.submit("leak=200000000"), stack.submit("compute=0.05")]
    assert [(JobStatus.COMPLETED, 1)] * 2 == [(job.status, job.attempt) for job in map(stack.ended, jobs)]
    until(lambda: 2 == stack.log("one").count("engine is up"), 20, "a fresh engine")
    until(lambda: {"chaos-two"} == resident(), 20, "the pinned model in the fresh engine")


def test_a_model_that_is_to_be_preloaded_must_be_one_that_can_be_served(stack: Service) -> None:
    worker = stack.gpu("one", wait=False, ATELIER_PRELOAD="chaos,nobody")
    assert 1 == worker.wait(30)
    assert "nobody can not be served here" in stack.log("one")


def test_a_failing_job_is_told_why_and_the_next_one_runs(stack: Service) -> None:
    stack.api()
    stack.gpu("one")
    failed, memory, healthy = stack.submit("fail=oops"), stack.submit("oom=1"), stack.submit("null=1")
    errors = [stack.ended(job_id).error for job_id in (failed, memory)]
    assert ["pipeline_failed", "gpu_out_of_memory"] == [error.code if error else None for error in errors]
    assert JobStatus.COMPLETED == stack.ended(healthy).status


@pytest.mark.parametrize("method", ["cancel", "delete"])
def test_a_cancelled_job_stops_and_the_worker_goes_on(stack: Service, method: str) -> None:
    stack.api()
    stack.gpu("one")
    job_id = stack.submit("compute=600 steps=12000")
    stack.running(job_id)
    if method == "cancel":
        assert 200 == stack.client.post(f"/jobs/v1/{job_id}/cancel").status_code
        assert JobStatus.CANCELLED == stack.job(job_id).status
    else:
        assert stack.client.delete(f"/jobs/v1/{job_id}").is_success
        assert 404 == stack.client.get(f"/jobs/v1/{job_id}").status_code
    assert JobStatus.COMPLETED == stack.ended(stack.submit("null=1"), 10).status


def test_a_pinned_job_waits_for_its_server(stack: Service) -> None:
    stack.api()
    stack.gpu("one").terminate()
    stack.gpu("two")
    pinned, free = stack.submit("null=1", server_id="one"), stack.submit("null=1")
    assert "two" == stack.ended(free).worker
    assert JobStatus.QUEUED == stack.job(pinned).status
    stack.gpu("one")
    assert "one" == stack.ended(pinned).worker


def test_no_process_is_left_after_a_stop(stack: Service) -> None:
    worker = stack.gpu("one")
    children = descendants(worker.pid)
    assert 2 == len(children)
    began = time.monotonic()
    worker.terminate()
    assert 0 == worker.wait(20)
    assert time.monotonic() - began < 15
    assert not any(alive(pid) for pid in children)


def test_a_job_claimed_ahead_is_unhurt_by_the_one_before_it(stack: Service) -> None:
    """It computes in the next engine when this one is killed, and is handed back at once when the worker ends."""
    stack.api()
    worker = stack.gpu("one", ATELIER_MAX_ATTEMPTS="9")
    first = stack.submit("compute=0.4 steps=8 hang_at=7")
    second = stack.submit("null=1")
    claimed_while_it_hangs(stack, second, first)
    os.kill(engine_of(worker.pid), signal.SIGKILL)
    assert (JobStatus.COMPLETED, 1, 1) == progress_of(stack.ended(second))
    third = stack.submit("null=1")
    claimed_while_it_hangs(stack, third, first)
    worker.terminate()
    until(lambda: (JobStatus.QUEUED, 0, 1) == progress_of(stack.job(third)), 10, "it to be handed back")
    assert worker.poll() is None
    worker.wait(30)
    assert (JobStatus.QUEUED, 1) == (stack.job(first).status, stack.job(first).attempt)


def claimed_while_it_hangs(stack: Service, ahead: str, hanging: str) -> None:
    until(lambda: JobStatus.PROCESSING == stack.job(ahead).status, 20, f"{ahead} to be claimed")
    assert "step" == stack.running(hanging).stage


def progress_of(job: Job) -> tuple[JobStatus, int, int]:
    return job.status, job.attempt, job.fence
