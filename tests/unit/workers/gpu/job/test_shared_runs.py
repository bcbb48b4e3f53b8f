"""Equal jobs that are computed in one run, with fake children: what stays each job's own."""

from pathlib import Path
from typing import Any

import pytest

from jobs.job import DeviceTime, JobError
from jobs.manifests.environment import BundleWeights
from tests.support.gpu_worker.fakes import SHARED, report, stopped
from tests.support.gpu_worker.job_bench import Bench
from workers.gpu.job.upload import prefix_of
from workers.ipc.child_process import ChildProcessDied, StageOverran
from workers.ipc.messages import Compute, Computed, ComputedShared, ComputeShared, Failed, StageProgress, Stopped


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def verbs(bench: Bench) -> dict[str, str]:
    """What was written of each job at its end."""
    return {write[1]: write[0] for write in bench.job_store.writes if write[0] != "progress"}


def test_one_request_computes_them_and_each_is_committed(bench: Bench) -> None:
    run = bench.claim_run(1, 2, 3)
    bench.run_all(run)
    (request,) = bench.engine.requests
    assert isinstance(request, ComputeShared)
    assert [claimed.ticket for claimed in run] == [job.ticket for job in request.jobs]
    assert [str(claimed.folder / "raw") for claimed in run] == [job.folder for job in request.jobs]
    assert {"job_1": "commit", "job_2": "commit", "job_3": "commit"} == verbs(bench)
    assert all(list(bench.store.keys(prefix_of(claimed.job))) for claimed in run)
    assert [3, 3, 3] == [made.jobs for made in bench.job_store.runs]
    assert ["free"] == bench.freed


def test_each_is_committed_with_the_weights_of_the_run(bench: Bench) -> None:
    weights = (BundleWeights(bundle="chaos-shared", revision="f" * 40, files={"a": "0"}),)
    answers = tuple(Computed(ticket=f"job_{number}-1", weights=weights) for number in (1, 2))
    bench.engine.scripts = [[ComputedShared(answers=answers)]]
    bench.run_all(bench.claim_run(1, 2))
    (environment,) = bench.job_store.environments.values()
    assert weights == environment.weights


def test_its_time_on_the_device_is_shared_out(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    run = bench.claim_run(1, 2, 3, 4)
    for claimed in run:
        monkeypatch.setattr(claimed.activity.timer, "seconds", lambda: {"load": 1.0, "compute": 6.0})
    bench.run_all(run)
    assert [DeviceTime(1.5, 0.25)] * 4 == bench.job_store.used


def test_each_has_progress_and_warnings_of_its_own(bench: Bench) -> None:
    first, second = bench.claim_run(1, 2)
    said = StageProgress(ticket=second.ticket, fraction=0.5, stage="step", warnings=("cut off",))
    bench.engine.scripts = [[report(0.25), said, ComputedShared(answers=(Computed(ticket=first.ticket),))]]
    bench.run_all([first, second])
    seen = [claimed.activity.last_report for claimed in (first, second)]
    assert [(0.25, ()), (0.5, ("cut off",))] == [(one.fraction, one.warnings) for one in seen if one is not None]


@pytest.mark.parametrize(("why", "verb"), [("preempt", "release"), ("lose_claim", None)])
def test_one_that_is_interrupted_hurts_no_other(bench: Bench, why: str, verb: str | None) -> None:
    first, second = bench.claim_run(1, 2)
    answers = (Stopped(ticket=first.ticket), Computed(ticket=second.ticket))
    bench.engine.scripts = [[lambda: getattr(bench, why)(first), report(0.5), ComputedShared(answers=answers)]]
    bench.run_all([first, second])
    assert verb == verbs(bench).get("job_1")
    assert "commit" == verbs(bench)["job_2"]
    assert {(first.ticket, why == "preempt")} == set(bench.engine.interrupts)


def test_all_of_them_can_be_interrupted(bench: Bench) -> None:
    run = bench.claim_run(1, 2)
    bench.engine.scripts = [[lambda: [bench.preempt(claimed) for claimed in run], report(0.5), stopped()]]
    bench.run_all(run)
    assert {"job_1": "release", "job_2": "release"} == verbs(bench)


@pytest.mark.parametrize("left", [0, 1])
def test_one_that_is_left_is_computed_alone(bench: Bench, left: int) -> None:
    run = bench.claim_run(1, 2)
    bench.lose_claim(run[1 - left])
    bench.run_all(run)
    (request,) = bench.engine.requests
    assert isinstance(request, Compute)
    assert run[left].ticket == request.ticket
    assert {run[left].job.id: "commit"} == verbs(bench)
    assert [1] == [made.jobs for made in bench.job_store.runs]


def test_one_that_is_left_spends_its_own_attempt(bench: Bench) -> None:
    first, second = bench.claim_run(1, 2)
    bench.lose_claim(first)
    bench.engine.scripts = [[ChildProcessDied("engine")]]
    bench.run_all([first, second])
    assert {"job_2": "lose"} == verbs(bench)


@pytest.mark.parametrize(
    "end",
    [
        ChildProcessDied("engine"),
        StageOverran("step", 120.0),
        Failed(error=JobError("attempts_exhausted", "illegal memory access"), fatal=True),
        Failed(error=JobError("not_finite", "values that are not finite")),
        Failed(error=JobError("pipeline_failed", "oops")),
    ],
    ids=["died", "overran", "fault", "not finite", "failed"],
)
def test_a_run_that_fails_costs_none_of_them_an_attempt(bench: Bench, end: Any) -> None:
    """They are queued again with their attempts, and are computed alone: a claim for a run takes only fresh jobs."""
    run = bench.claim_run(1, 2, 3)
    bench.lose_claim(run[2])
    bench.engine.scripts = [[report(0.5), end]]
    bench.run_all(run)
    assert {"job_1": "release", "job_2": "release"} == verbs(bench)


def test_one_whose_claim_is_gone_is_not_queued_again(bench: Bench) -> None:
    run = bench.claim_run(1, 2)
    bench.engine.scripts = [[lambda: bench.lose_claim(run[0]), ChildProcessDied("engine")]]
    bench.run_all(run)
    assert {"job_2": "release"} == verbs(bench)


def test_the_model_lets_four_share_a_run() -> None:
    assert 4 == SHARED.batch.jobs
