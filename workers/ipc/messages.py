"""What supervisor, engine and encoder say to each other: small typed messages, never arrays.

Arrays and files pass through folders that the messages name.
"""

import msgspec

from jobs.job import JobError
from jobs.server_commands import Preload, Unload
from jobs.wire.servers import ResidentModel
from pipelines.catalog.spec import Stage
from pipelines.runtime.protocol import Outputs


class EngineMessage(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """Root of all messages; `ticket` names the attempt at a job that it is about."""

    ticket: str = ""

    @property
    def job_id(self) -> str:
        """The job that it is about; empty for an order."""
        return self.ticket.rpartition("-")[0]


class Inventory(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine holds. Bytes: in use on the device, and of those the ones that no model accounts for, beyond what
    the first answer found (`drift`): they grow where something leaks. And what happened since the answer before: models
    that had to leave the device for another one, and those with which memory ran out.
    """

    models: tuple[ResidentModel, ...] = ()
    memory_used: int = 0
    drift: int = 0
    evicted: tuple[str, ...] = ()
    out_of_memory: tuple[str, ...] = ()

    @property
    def on_device(self) -> tuple[str, ...]:
        """Ids of the models that are ready to compute."""
        return tuple(model.id for model in self.models if model.where == "device")


class Ready(EngineMessage, frozen=True, kw_only=True, tag="ready"):
    """The process is up. Memory is bytes; models may take `memory_budget` of it."""

    device: str = "cpu"
    memory_total: int = 0
    memory_budget: int = 0
    versions: dict[str, str] = {}


class Compute(EngineMessage, frozen=True, kw_only=True, tag="compute"):
    """To the engine: make this, write the arrays into `folder`."""

    model: str
    modality: str
    params: dict[str, object]
    seed: int
    folder: str
    inputs: dict[str, str] = {}


class Interrupt(EngineMessage, frozen=True, kw_only=True, tag="interrupt"):
    """To the engine: stop at the next report. `preempt`: the job will run again elsewhere."""

    preempt: bool = False


class StageProgress(EngineMessage, frozen=True, kw_only=True, tag="stage_progress"):
    """From the engine: `fraction` (0 to 1) is done and `stage` begins now."""

    fraction: float
    stage: Stage
    warnings: tuple[str, ...] = ()


class Computed(EngineMessage, frozen=True, kw_only=True, tag="computed"):
    """From the engine: the arrays are in the folder."""

    inventory: Inventory = Inventory()


class EngineCommand(EngineMessage, frozen=True, kw_only=True, tag="command"):
    """To the engine: a command that concerns models; it is the operator's, or the supervisor's own."""

    command: Preload | Unload


class Sweep(EngineMessage, frozen=True, kw_only=True, tag="sweep"):
    """To the engine: send away what has been idle for too long."""


class SweepDone(EngineMessage, frozen=True, kw_only=True, tag="sweep_done"):
    """From the engine: the order was carried out."""

    inventory: Inventory = Inventory()


class Encode(EngineMessage, frozen=True, kw_only=True, tag="encode"):
    """To the encoder: turn the arrays in `raw` into files in `folder`."""

    model: str
    modality: str
    params: dict[str, object]
    raw: str
    folder: str


class Encoded(EngineMessage, frozen=True, kw_only=True, tag="encoded"):
    """From the encoder: the files are in the folder; `metadata` and `warnings` are what the arrays came with."""

    outputs: Outputs
    warnings: tuple[str, ...]
    metadata: dict[str, str | int | float | bool | None]


class Stopped(EngineMessage, frozen=True, kw_only=True, tag="stopped"):
    """From the engine: interrupted, and ready for the next job."""

    inventory: Inventory = Inventory()


class Failed(EngineMessage, frozen=True, kw_only=True, tag="failed"):
    """The job went wrong. `fatal`: this process must not be used again."""

    error: JobError
    fatal: bool = False
    inventory: Inventory = Inventory()


EngineRequest = EngineCommand | Sweep
"""What the engine does between jobs."""

AnyMessage = (
    Ready
    | Compute
    | EngineRequest
    | Interrupt
    | StageProgress
    | Computed
    | SweepDone
    | Encode
    | Encoded
    | Stopped
    | Failed
)
