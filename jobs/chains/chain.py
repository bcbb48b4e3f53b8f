"""A chain and its steps, as rows of the database."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from jobs.job import JobError, columns_of
from jobs.params.requests.origin import NATIVE_ORIGIN, Origin
from jobs.statements.queue.submit import InputSource

if TYPE_CHECKING:
    from sqlalchemy import Row

MOST_STEPS = 8
"""Steps of a chain that a caller writes."""
ChainState = Literal["running", "cancelling", "completed", "failed", "cancelled"]


class StepOutput(msgspec.Struct, frozen=True):
    """An output of an earlier step, which an input of this one is: the numbers of the step and of the output.

    `source` is that of the input, but for the key of the output, which is not there yet.
    """

    source: InputSource
    step: int
    output: int

    @property
    def name(self) -> str:
        """The name of the input."""
        return self.source.name


class StepWait(msgspec.Struct, frozen=True, kw_only=True):
    """What a step waits for, and what it is given then.

    `deadline` and `start` are the seconds that the job has from then on, as of a submit.
    """

    outputs: tuple[StepOutput, ...]
    sources: tuple[InputSource, ...]
    deadline: float
    start: float | None


class ChainStep(msgspec.Struct, frozen=True, kw_only=True):
    """One row of `chain_steps`; `wait` is None once the job has its inputs."""

    chain: str
    number: int
    name: str
    job_id: str
    wait: StepWait | None = None


class Chain(msgspec.Struct, frozen=True, kw_only=True):
    """One row of `chains`; `failed_step` and `error` are of the step that ended it."""

    id: str
    tenant: str
    status: ChainState
    callback_url: str | None
    origin: Origin = NATIVE_ORIGIN
    failed_step: str | None
    error: JobError | None
    created_at: datetime
    ended_at: datetime | None


def chain_from_row(row: "Row[Any]") -> Chain:
    """Return a row of `chains`."""
    return msgspec.convert(columns_of(row), Chain)


def step_from_row(row: "Row[Any]") -> ChainStep:
    """Return a row of `chain_steps`."""
    return msgspec.convert(columns_of(row), ChainStep)
