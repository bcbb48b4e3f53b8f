"""What a turn has to do about a chain, from the states of its jobs alone."""

from collections.abc import Mapping, Sequence

import msgspec

from core.errors.failures import InputUnreachable
from jobs.chains.chain import Chain, ChainState, ChainStep, StepOutput
from jobs.job import Job, JobError, JobStatus
from jobs.statements.queue.submit import InputSource


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done: `begun` steps get their inputs, `lacking` ones cannot, jobs are cancelled, the chain ends."""

    begun: Sequence[ChainStep] = ()
    lacking: Sequence[ChainStep] = ()
    cancelled: Sequence[Job] = ()
    ends_as: ChainState | None = None
    failed_step: str | None = None
    error: JobError | None = None


LACKS_INPUT = JobError(
    InputUnreachable.code, "The step before has not made the output that this one takes, or it was removed."
)


def decide(chain: Chain, steps: Sequence[ChainStep], jobs: Mapping[str, Job]) -> Turn:
    """Return the turn; a step whose job is not in `jobs` was deleted.

    The first step that fails ends the chain, and so does one that is cancelled or deleted: what has not ended of it is
    cancelled first, so that its price is free again.
    """
    made = [jobs.get(step.job_id) for step in steps]
    failed = next((number for number, job in enumerate(made) if job and job.status is JobStatus.FAILED), None)
    is_stopped = chain.status == "cancelling" or any(job is None or job.status is JobStatus.CANCELLED for job in made)
    if failed is not None or is_stopped:
        unfinished = [job for job in made if job is not None and not job.status.terminal]
        if unfinished:
            return Turn(cancelled=unfinished)
        if failed is None:
            return Turn(ends_as="cancelled")
        return Turn(ends_as="failed", failed_step=steps[failed].name, error=_error_of(made[failed]))
    if all(job is not None and job.status is JobStatus.COMPLETED for job in made):
        return Turn(ends_as="completed")
    ready = [step for step in steps if step.wait is not None and _are_completed(step.wait.outputs, made)]
    lacking = [step for step in ready if step.wait and any(key_of(one, made) is None for one in step.wait.outputs)]
    return Turn(begun=[step for step in ready if step not in lacking], lacking=lacking)


def sources_of(step: ChainStep, steps: Sequence[ChainStep], jobs: Mapping[str, Job]) -> list[InputSource]:
    """Return the sources of the inputs of a step that begins: outputs of earlier ones, and what its caller named."""
    assert step.wait is not None, "a step that does not wait has its inputs"
    made = [jobs.get(one.job_id) for one in steps]
    outputs = [msgspec.structs.replace(one.source, source_key=key_of(one, made)) for one in step.wait.outputs]
    return [*outputs, *step.wait.sources]


def key_of(output: StepOutput, made: Sequence[Job | None]) -> str | None:
    """Return the key of an output of an earlier step; None where it was not made."""
    job = made[output.step]
    artifacts = job.artifacts if job is not None else ()
    return artifacts[output.output].key if output.output < len(artifacts) else None


def _are_completed(outputs: Sequence[StepOutput], made: Sequence[Job | None]) -> bool:
    before = [made[one.step] for one in outputs]
    return all(job is not None and job.status is JobStatus.COMPLETED for job in before)


def _error_of(job: Job | None) -> JobError | None:
    return None if job is None else job.error
