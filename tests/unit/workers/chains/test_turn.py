"""What a turn does about a chain, by the states of its jobs."""

from datetime import UTC, datetime
from typing import Any

import pytest

from jobs.chains.chain import Chain, ChainStep, StepOutput, StepWait
from jobs.job import Artifact, Job, JobError, JobStatus
from jobs.statements.queue.submit import InputSource
from tests.support.gpu_worker.fakes import make_job
from workers.chains.turn import Turn, decide, sources_of

ARTIFACT = Artifact(key="ten/job_0/1/a.png", media_type="image/png", bytes=1, sha256="a")
PENDING, QUEUED, DONE = JobStatus.PENDING, JobStatus.QUEUED, JobStatus.COMPLETED
FAILED, CANCELLED = JobStatus.FAILED, JobStatus.CANCELLED
ERROR = JobError("pipeline_failed", "no")


def chain(**columns: Any) -> Chain:
    known: dict[str, Any] = {"callback_url": None, "failed_step": None, "error": None, "ended_at": None}
    made = datetime(2026, 1, 1, tzinfo=UTC)
    return Chain(**({"id": "chn_1", "tenant": "ten_1", "status": "running", "created_at": made} | known | columns))


def step(number: int, *takes: int, output: int = 0) -> ChainStep:
    """A step that takes an output of each of these; its job has the same number."""
    outputs = tuple(StepOutput(InputSource(name=f"in{one}", kind="image"), one, output) for one in takes)
    logo = InputSource(name="logo_url", kind="image", url="https://shop.example/logo.png", host="shop.example")
    wait = StepWait(outputs=outputs, sources=(logo,), deadline=60.0, start=None) if takes else None
    return ChainStep(chain="chn_1", number=number, name=f"s{number}", job_id=f"job_{number}", wait=wait)


def jobs(*states: JobStatus | None) -> dict[str, Job]:
    """A job in each of the states, with an output where it is completed; None for one that was deleted."""
    return {
        f"job_{number}": make_job(
            number,
            status=status,
            artifacts=(ARTIFACT,) if status is DONE else (),
            error=ERROR if status is FAILED else None,
        )
        for number, status in enumerate(states)
        if status is not None
    }


LINE = [step(0), step(1, 0), step(2, 1)]


def names(turn: Turn) -> tuple[list[str], list[str]]:
    return [one.name for one in turn.begun], [job.id for job in turn.cancelled]


@pytest.mark.parametrize(
    ("states", "begun"),
    [
        ((QUEUED, PENDING, PENDING), []),
        ((DONE, PENDING, PENDING), ["s1"]),
        ((DONE, DONE, PENDING), ["s1", "s2"]),  # a mark that is still to be written changes nothing
    ],
)
def test_a_step_begins_when_the_one_before_is_completed(states: tuple[JobStatus, ...], begun: list[str]) -> None:
    assert (begun, []) == names(decide(chain(), LINE, jobs(*states)))


def test_a_step_with_two_inputs_waits_for_both() -> None:
    steps = [step(0), step(1), step(2, 0, 1)]
    assert ([], []) == names(decide(chain(), steps, jobs(DONE, QUEUED, PENDING)))
    assert (["s2"], []) == names(decide(chain(), steps, jobs(DONE, DONE, PENDING)))


def test_the_last_job_ends_the_chain() -> None:
    assert Turn(ends_as="completed") == decide(chain(), LINE, jobs(DONE, DONE, DONE))


def test_a_failed_step_ends_it_once_the_others_have_ended() -> None:
    assert ([], ["job_2"]) == names(decide(chain(), LINE, jobs(DONE, FAILED, PENDING)))
    ended = decide(chain(), LINE, jobs(DONE, FAILED, CANCELLED))
    assert Turn(ends_as="failed", failed_step="s1", error=ERROR) == ended


@pytest.mark.parametrize("states", [(DONE, CANCELLED, PENDING), (DONE, None, PENDING)])
def test_a_step_that_is_cancelled_or_deleted_cancels_it(states: tuple[JobStatus | None, ...]) -> None:
    assert ([], ["job_2"]) == names(decide(chain(), LINE, jobs(*states)))
    assert Turn(ends_as="cancelled") == decide(chain(), LINE, jobs(*states[:2], CANCELLED))


def test_a_cancelled_chain_begins_nothing() -> None:
    assert ([], ["job_1", "job_2"]) == names(decide(chain(status="cancelling"), LINE, jobs(DONE, PENDING, PENDING)))


def test_a_step_lacks_an_output_that_was_not_made() -> None:
    steps = [step(0), step(1, 0, output=3)]
    turn = decide(chain(), steps, jobs(DONE, PENDING))
    assert ([], ["s1"]) == ([one.name for one in turn.begun], [one.name for one in turn.lacking])


def test_the_sources_are_the_outputs_and_what_the_caller_named() -> None:
    found = sources_of(LINE[1], LINE, jobs(DONE, PENDING, PENDING))
    assert [("in0", ARTIFACT.key), ("logo_url", None)] == [(one.name, one.source_key) for one in found]
