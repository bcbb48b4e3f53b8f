"""Faults of GPU workers: killed, stopped, poisoned, hung, terminated. Real processes, real servers."""

import os
import signal
import time
from pathlib import Path

import pytest

from jobs.job import Job, JobStatus
from jobs.statements import run
from tests.support.processes import alive, descendants
from tests.support.service import CHAOS, Service
from tests.support.wait import until

LONG = "compute=2 steps=40"


def test_a_killed_worker_costs_one_attempt(stack: Service) -> None:
    """kill -9 mid-job: the job completes under another worker, attempt 2, one output."""
    stack.api()
    stack.cpu()
    first = stack.gpu("one")
    job_id = stack.submit(LONG)
    stack.running(job_id)
    children = descendants(first.pid)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    until(lambda: not any(alive(pid) for pid in children), 5, "engine and encoder to die with their supervisor")
    stack.gpu("two")
    job = stack.ended(job_id)
    assert (JobStatus.COMPLETED, 2, 2, "two") == (job.status, job.attempt, job.fence, job.worker)
    assert [job.artifacts[0].key] == stack.objects(job_id)


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


def test_a_stopped_worker_commits_nothing_when_it_wakes(stack: Service) -> None:
    """SIGSTOP past the lease, then SIGCONT: the job belongs to another worker by then."""
    stack.api()
    stack.cpu()
    sleeper = stack.gpu("sleeper")
    job_id = stack.submit(LONG)
    stack.running(job_id)
    os.kill(sleeper.pid, signal.SIGSTOP)  # the engine goes on and finishes
    stack.gpu("other")
    job = stack.ended(job_id)
    assert (JobStatus.COMPLETED, 2, "other") == (job.status, job.attempt, job.worker)
    os.kill(sleeper.pid, signal.SIGCONT)
    until(lambda: any(word in stack.log("sleeper") for word in ("not ours", "was gone")), 20, "it to notice")
    assert job == stack.job(job_id)
    until(lambda: [job.artifacts[0].key] == stack.objects(job_id), 10, "its outputs to be removed")


def test_a_stale_commit_is_refused_after_a_refund_too(stack: Service) -> None:
    """Claim, refund, claim brings the attempt back to 1; the fence does not come back."""
    stack.api()
    sleeper = stack.gpu("sleeper", ATELIER_LEASE_SECONDS="600")
    job_id = stack.submit(LONG)
    claimed = stack.running(job_id)
    os.kill(sleeper.pid, signal.SIGSTOP)
    with stack.database.begin() as connection:
        assert connection.execute(run.release(job_id, claimed.fence)).first() is not None
    stack.gpu("other")
    job = stack.ended(job_id)
    assert (JobStatus.COMPLETED, 1, 2, "other") == (job.status, job.attempt, job.fence, job.worker)
    os.kill(sleeper.pid, signal.SIGCONT)
    until(lambda: any(word in stack.log("sleeper") for word in ("not ours", "was gone")), 20, "it to notice")
    assert job == stack.job(job_id)


def test_sigterm_lets_a_short_job_finish(stack: Service) -> None:
    stack.api()
    worker = stack.gpu("one")
    job_id = stack.submit("compute=1 steps=20")
    stack.running(job_id)
    worker.terminate()
    assert 0 == worker.wait(20)
    job = stack.job(job_id)
    assert (JobStatus.COMPLETED, 1) == (job.status, job.attempt)


def test_sigterm_hands_a_long_job_back_unharmed(stack: Service) -> None:
    stack.api()
    worker = stack.gpu("one", ATELIER_GRACE_SECONDS="0.5")
    job_id = stack.submit("compute=8 steps=160")
    stack.running(job_id)
    worker.terminate()
    assert 0 == worker.wait(20)
    job = stack.job(job_id)
    assert (JobStatus.QUEUED, 0, 1) == (job.status, job.attempt, job.fence)
    stack.gpu("two")
    assert 1 == stack.ended(job_id).attempt


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


def test_a_store_that_is_away_costs_no_attempt(stack: Service) -> None:
    """A file where the store's folder should be: nothing can be written until it is gone."""
    stack.api()
    (stack.folder / "objects").write_text("in the way")
    stack.gpu("one", ATELIER_UPLOAD_RETRY_SECONDS="0.5", ATELIER_RETRY_BACKOFF="0.5")
    job_id = stack.submit("null=1")
    until(lambda: stack.job(job_id).fence >= 2, 20, "a second attempt")
    assert stack.job(job_id).status in (JobStatus.QUEUED, JobStatus.PROCESSING)
    (stack.folder / "objects").unlink()
    job = stack.ended(job_id)
    assert (JobStatus.COMPLETED, 1) == (job.status, job.attempt)


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


def engine_of(pid: int) -> int:
    commands = {child: Path(f"/proc/{child}/cmdline").read_bytes() for child in descendants(pid)}
    return next(child for child, command in commands.items() if b"workers.engine" in command)
