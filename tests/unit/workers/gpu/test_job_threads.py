"""The thread of a claimed job, around the pipeline."""

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.support.gpu_worker.fakes import CHAOS, WAIT_SECONDS, make_job
from tests.support.wait import until
from workers.gpu import job_threads
from workers.gpu.job.claimed_job import ClaimedJob
from workers.gpu.job.slots import JobSlots
from workers.gpu.job_threads import JobThreads


class Bench:
    """Threads whose pipeline is a function of the test."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.slots, self.ended, self.records = JobSlots(), threading.Event(), list[tuple[str, Any]]()
        telemetry = SimpleNamespace(
            record_claim=lambda job: self.records.append(("claim", job.id)),
            record_end=lambda claimed, ended: self.records.append(("end", ended)),
        )
        services = SimpleNamespace(slots=self.slots)
        self.threads = JobThreads(cast(Any, services), cast(Any, telemetry), lambda _: self.ended.set())
        self.claimed = ClaimedJob.begin(make_job(), CHAOS, folder / "job")
        self.claimed.folder.mkdir()
        self.monkeypatch = monkeypatch

    def run(self, pipeline: Any) -> None:
        """Run the job to its end."""
        self.monkeypatch.setattr(job_threads, "run_job", pipeline)
        self.threads.start(self.claimed)
        assert self.ended.wait(WAIT_SECONDS)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


def test_a_job_that_ended_leaves_nothing_here(bench: Bench) -> None:
    bench.run(lambda claimed, services: "completed")
    assert [("claim", "job_1"), ("end", "completed")] == bench.records
    assert [] == bench.slots.jobs
    assert not bench.claimed.folder.exists()


def test_a_job_that_was_broken_off_leaves_nothing_here(bench: Bench) -> None:
    def fail(claimed: object, services: object) -> None:
        raise RuntimeError("odd")

    bench.run(fail)
    assert [("claim", "job_1")] == bench.records
    assert [] == bench.slots.jobs
    assert not bench.claimed.folder.exists()


def test_a_thread_that_cannot_start_gives_up_its_slot(bench: Bench) -> None:
    def fail(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    bench.monkeypatch.setattr(threading.Thread, "start", fail)
    with pytest.raises(RuntimeError, match="start new thread"):
        bench.threads.start(bench.claimed)
    assert [] == bench.slots.jobs
    assert bench.slots.computing is None


def test_a_run_goes_on_without_a_job_that_has_no_thread(bench: Bench) -> None:
    def start(thread: threading.Thread) -> None:
        if thread.name == "job_2":
            raise RuntimeError("can't start new thread")
        begin(thread)

    begin = threading.Thread.start
    second = ClaimedJob.begin(make_job(2), CHAOS, bench.claimed.folder, beside=bench.claimed)
    bench.monkeypatch.setattr(threading.Thread, "start", start)
    bench.monkeypatch.setattr(job_threads, "run_job", lambda claimed, services: "completed")
    with pytest.raises(RuntimeError, match="start new thread"):
        bench.threads.start(bench.claimed, second)
    until(lambda: ("end", "completed") in bench.records, what="the end of the first job")
    until(lambda: not bench.slots.jobs, what="both slots to be free")
    assert second.cancellation.is_set
    assert not bench.claimed.cancellation.is_set
