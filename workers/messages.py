"""What supervisor, engine and encoder say to each other: small typed messages, never arrays.

Arrays and files pass through folders that the messages name.
"""

import msgspec

from jobs.job import JobError
from pipelines.pipeline import Outputs
from pipelines.spec import Stage


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """Root of all messages; `ticket` names the attempt at a job that it is about."""

    ticket: str = ""


class Ready(Message, frozen=True, kw_only=True, tag=True):
    """The process is up. Memory is bytes."""

    device: str = "cpu"
    memory_total: int = 0
    versions: dict[str, str] = {}


class Compute(Message, frozen=True, kw_only=True, tag=True):
    """To the engine: make this, write the arrays into `folder`."""

    model: str
    modality: str
    params: dict[str, object]
    seed: int
    folder: str
    inputs: dict[str, str] = {}


class Interrupt(Message, frozen=True, kw_only=True, tag=True):
    """To the engine: stop at the next report. `preempt`: the job will run again elsewhere."""

    preempt: bool = False


class Progress(Message, frozen=True, kw_only=True, tag=True):
    """From the engine: `fraction` (0 to 1) is done and `stage` begins now."""

    fraction: float
    stage: Stage
    warnings: tuple[str, ...] = ()


class Computed(Message, frozen=True, kw_only=True, tag=True):
    """From the engine: the arrays are in the folder. Memory is bytes."""

    resident: tuple[str, ...]
    memory_used: int = 0


class Encode(Message, frozen=True, kw_only=True, tag=True):
    """To the encoder: turn the arrays in `raw` into files in `folder`."""

    model: str
    modality: str
    params: dict[str, object]
    raw: str
    folder: str


class Encoded(Message, frozen=True, kw_only=True, tag=True):
    """From the encoder: the files are in the folder; `facts` and `warnings` are what the arrays came with."""

    outputs: Outputs
    warnings: tuple[str, ...]
    facts: dict[str, str | int | float | bool | None]


class Stopped(Message, frozen=True, kw_only=True, tag=True):
    """From the engine: interrupted, and ready for the next job."""


class Broke(Message, frozen=True, kw_only=True, tag=True):
    """The job went wrong. `fatal`: this process must not be used again."""

    error: JobError
    fatal: bool = False


AnyMessage = Ready | Compute | Interrupt | Progress | Computed | Encode | Encoded | Stopped | Broke
