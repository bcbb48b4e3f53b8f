"""The messages between supervisor, engine and encoder: small and typed.

Arrays and files pass through folders that the messages name; only a preview of a step, at most 200 kB, is in one.
"""

from typing import Literal

import msgspec

from jobs.job import JobError
from jobs.manifests.environment import BundleWeights
from jobs.server_commands import Preload, Unload
from jobs.wire.servers import ResidentModel
from pipelines.catalog.spec import Stage
from pipelines.runtime.protocol import Outputs
from pipelines.weights.hash_cache import HashedFile


class EngineMessage(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """Root of all messages; `ticket` names the attempt at a job that it is about."""

    ticket: str = ""

    @property
    def tickets(self) -> tuple[str, ...]:
        """The tickets of all attempts that it is about."""
        return (self.ticket,)

    @property
    def job_id(self) -> str:
        """The job that it is about, or the jobs; empty for a command."""
        return " ".join(ticket.rpartition("-")[0] for ticket in self.tickets)


class Inventory(msgspec.Struct, frozen=True, kw_only=True):
    """The models and the memory of the engine, and what happened to them since its last answer.

    `memory_used` is the bytes that the engine's process uses on the device; those of its neighbors do not count.
    `drift` is the bytes among them that belong to no model, beyond those after the first job: it grows with a leak.
    `evicted` are the models that left the device for another one, `out_of_memory` those with which memory ran out.
    """

    models: tuple[ResidentModel, ...] = ()
    memory_used: int = 0
    drift: int = 0
    evicted: tuple[str, ...] = ()
    out_of_memory: tuple[str, ...] = ()

    @property
    def on_device(self) -> tuple[str, ...]:
        """Ids of the models that are ready to compute."""
        return tuple(dict.fromkeys(model.id for model in self.models if model.where == "device"))


class Begin(EngineMessage, frozen=True, kw_only=True, tag="begin"):
    """To a process, as the first message: begin. Until then it has no device, and answers nothing."""


class Ready(EngineMessage, frozen=True, kw_only=True, tag="ready"):
    """From a process: it has started. Memory is in bytes; models may take `memory_budget` of it.

    `product` is the device as its maker calls it.
    """

    device: str = "cpu"
    product: str = ""
    memory_total: int = 0
    memory_budget: int = 0
    versions: dict[str, str] = {}


class Join(EngineMessage, frozen=True, kw_only=True, tag="join"):
    """From the engine to a peer: take this device, and be `rank` of the `ranks` that find one another at `port`."""

    rank: int
    ranks: int
    device: str
    port: int


class PeerCommand(EngineMessage, frozen=True, kw_only=True, tag="peer_command"):
    """From the engine to its peers: bring a model to where the engine has it."""

    model: str
    where: Literal["device", "host", "disk"]


class Proceed(EngineMessage, frozen=True, kw_only=True, tag="proceed"):
    """From the engine to its peers, at each of its reports: the run goes on."""


class NotReady(EngineMessage, frozen=True, kw_only=True, tag="not_ready"):
    """From a process, instead of `Ready`: it cannot work on this machine as it is, for a reason in words."""

    reason: str


class HashedFiles(EngineMessage, frozen=True, kw_only=True, tag="hashed_files"):
    """From the engine, at any time: weights that it has hashed. To a fresh engine: what the one before has hashed."""

    files: tuple[HashedFile, ...]


class Compute(EngineMessage, frozen=True, kw_only=True, tag="compute"):
    """To the engine: compute this, and write the arrays into `folder`."""

    model: str
    modality: str
    params: dict[str, object]
    seed: int
    folder: str
    inputs: dict[str, str] = {}

    @property
    def jobs(self) -> tuple["Compute", ...]:
        """The jobs of the run: this one."""
        return (self,)


class ComputeShared(EngineMessage, frozen=True, kw_only=True, tag="compute_shared"):
    """To the engine: compute these jobs in one run, which are equal but for prompt and seed and take no media.

    The message has the ticket of the first; each is reported on, and interrupted, by its own.
    """

    jobs: tuple[Compute, ...]

    @property
    def tickets(self) -> tuple[str, ...]:
        """The tickets of all attempts that it is about."""
        return tuple(job.ticket for job in self.jobs)


class Interrupt(EngineMessage, frozen=True, kw_only=True, tag="interrupt"):
    """To the engine: stop at the next report. `preempt`: the job will run again elsewhere.

    A run that is shared stops once all its jobs are interrupted; before that, what one would have made is left out.
    """

    preempt: bool = False


class StageProgress(EngineMessage, frozen=True, kw_only=True, tag="stage_progress"):
    """From the engine: `fraction` (0 to 1) is done and `stage` begins now."""

    fraction: float
    stage: Stage
    warnings: tuple[str, ...] = ()


class AskPreview(EngineMessage, frozen=True, kw_only=True, tag="ask_preview"):
    """To the engine, while it computes: draw one preview at the end of a step."""


class PreviewPixels(EngineMessage, frozen=True, kw_only=True, tag="preview_pixels"):
    """From the engine, for `AskPreview`: RGB of `width` x `height` after `step` of `of`; it renews no deadline."""

    step: int
    of: int
    width: int
    height: int
    pixels: bytes


class PreviewText(EngineMessage, frozen=True, kw_only=True, tag="preview_text"):
    """From the engine, for `AskPreview`: the text after token `step` of `of` at most; it renews no deadline."""

    step: int
    of: int
    text: str


class SoundPart(EngineMessage, frozen=True, kw_only=True, tag="sound_part"):
    """From the engine, of a recording that is streamed: part `number` (from 0) is in `file`; it renews no deadline.

    The file is an array of float32, one axis, `rate` samples a second. A run that begins again begins with number 0.
    """

    number: int
    file: str
    rate: int


class Computed(EngineMessage, frozen=True, kw_only=True, tag="computed"):
    """From the engine: the arrays are in the folder; `weights` are those that they were computed with."""

    inventory: Inventory = Inventory()
    weights: tuple[BundleWeights, ...] = ()


class EngineCommand(EngineMessage, frozen=True, kw_only=True, tag="command"):
    """To the engine: a command that concerns models; it is the operator's, or the supervisor's own."""

    command: Preload | Unload


class Sweep(EngineMessage, frozen=True, kw_only=True, tag="sweep"):
    """To the engine: unload the models that have been idle for too long."""


class SweepDone(EngineMessage, frozen=True, kw_only=True, tag="sweep_done"):
    """From the engine: the command or the sweep was carried out."""

    inventory: Inventory = Inventory()


class Encode(EngineMessage, frozen=True, kw_only=True, tag="encode"):
    """To the encoder: turn the arrays in `raw` into files in `folder`; `inputs` are those of the job."""

    model: str
    modality: str
    params: dict[str, object]
    raw: str
    folder: str
    inputs: dict[str, str] = {}


class EncodePart(EngineMessage, frozen=True, kw_only=True, tag="encode_part"):
    """To the encoder: add a part of a recording to the file in `folder`, as it comes from the engine; 0 begins it."""

    params: dict[str, object]
    number: int
    part: str
    rate: int
    folder: str


class EncodedPart(EngineMessage, frozen=True, kw_only=True, tag="encoded_part"):
    """From the encoder: the recording so far is the first `end` bytes of `file`; those from `begin` on are new."""

    file: str
    begin: int
    end: int


class Encoded(EngineMessage, frozen=True, kw_only=True, tag="encoded"):
    """From the encoder: the files are in the folder; `metadata` and `warnings` are what the arrays came with."""

    outputs: Outputs
    warnings: tuple[str, ...]
    metadata: dict[str, str | int | float | bool | None]


class Stopped(EngineMessage, frozen=True, kw_only=True, tag="stopped"):
    """From the engine: interrupted, and ready for the next job."""

    inventory: Inventory = Inventory()


class ComputedShared(EngineMessage, frozen=True, kw_only=True, tag="computed_shared"):
    """From the engine: the run has ended, with an answer for each of its jobs; the inventory is here alone."""

    answers: tuple[Computed | Stopped, ...]
    inventory: Inventory = Inventory()


class Failed(EngineMessage, frozen=True, kw_only=True, tag="failed"):
    """From a process: the request failed. `fatal`: this process must not be used again."""

    error: JobError
    fatal: bool = False
    inventory: Inventory = Inventory()


AnyPreview = PreviewPixels | PreviewText
ComputeRequest = Compute | ComputeShared
"""The requests of a run, of one job or of several."""
EngineRequest = EngineCommand | Sweep
"""The requests that the engine carries out between jobs."""

AnyMessage = (
    Begin
    | Ready
    | NotReady
    | Join
    | PeerCommand
    | Proceed
    | HashedFiles
    | ComputeRequest
    | EngineRequest
    | Interrupt
    | StageProgress
    | AskPreview
    | AnyPreview
    | SoundPart
    | Computed
    | ComputedShared
    | SweepDone
    | Encode
    | Encoded
    | EncodePart
    | EncodedPart
    | Stopped
    | Failed
)
