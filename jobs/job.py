"""The job: its status, its error, its artifacts and the row as a struct."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from core.errors.base import AtelierError
from jobs.params.base import read_params
from jobs.params.registry import PARAMS_OF, AnyParams, Modality
from jobs.params.requests.origin import NATIVE_ORIGIN, Origin
from jobs.previews import Preview

if TYPE_CHECKING:
    from sqlalchemy import Row  # not at run time: engines read jobs and have no database


class JobStatus(StrEnum):
    """The status of a job: `pending` -> `queued` -> `processing` -> `completed`, `failed` or `cancelled`."""

    PENDING = "pending"
    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """Whether the job has ended; no other status follows."""
        return self in TERMINAL


REVISED_PROMPT = "revised_prompt"
"""What of the metadata of an output is the prompt that it was made of, where a text model wrote it anew."""
WAITING = (JobStatus.PENDING, JobStatus.QUEUED)
ACTIVE = (*WAITING, JobStatus.PROCESSING)
TERMINAL = (JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED)


class Artifact(msgspec.Struct, frozen=True, kw_only=True):
    """One stored output: where it is, what it is, and its previews."""

    key: str
    media_type: str
    bytes: int
    sha256: str
    metadata: dict[str, Any] = {}
    previews: tuple[Preview, ...] = ()

    @property
    def keys(self) -> set[str]:
        """The keys of its objects."""
        return {self.key, *(preview.key for preview in self.previews)}


class DeviceTime(msgspec.Struct, frozen=True):
    """Seconds that a job took of the device: computing, and loading its model."""

    gpu_seconds: float = 0.0
    load_seconds: float = 0.0


NO_TIME = DeviceTime()


class JobBackend(msgspec.Struct, frozen=True):
    """Who has a job or made it, and why.

    `name` is "local" for a server of this installation, which is also its `kind` then. `reason` is `primary` for the
    first of the model's order, `primary_down` where none before it was up, `waited` where the job had waited as long as
    the order says, and `pinned` for the server that the job asks for.
    """

    name: str
    kind: str
    reason: str


LOCAL_BACKEND = JobBackend("local", "local", "primary")


class JobRun(msgspec.Struct, frozen=True):
    """The attempt that completed a job: the digest of its environment, and the seconds of its phases.

    The phases are load, compile, compute, encode and upload; those that there were. `jobs` is how many jobs were
    computed in one run, this one included.
    """

    environment: str
    seconds: dict[str, float] = {}
    jobs: int = 1


class JobError(msgspec.Struct, frozen=True):
    """Why a job failed: a stable code and a sentence."""

    code: str
    message: str

    @classmethod
    def of(cls, error: type[AtelierError]) -> "JobError":
        """Return the error of a class in the tree, with its advice as the message."""
        return cls(error.code, error.advice)


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One row of `jobs`. Times are the database's, in UTC; `progress` is 0 to 1; `cost` is US dollars."""

    id: str
    tenant: str
    modality: Modality
    model: str
    params: dict[str, Any]
    seed: int | None
    status: JobStatus
    fence: int
    attempt: int
    max_attempts: int
    priority: int
    server_id: str | None
    spill_at: datetime | None
    worker: str | None
    incarnation: int | None
    progress: float
    stage: str | None
    callback_url: str | None
    available_at: datetime
    deadline_at: datetime
    lease_until: datetime | None
    event_seq: int
    error: JobError | None
    warnings: tuple[str, ...]
    artifacts: tuple[Artifact, ...]
    cost: float
    created_at: datetime
    queued_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    outputs_removed_at: datetime | None = None
    redrive_of: str | None = None
    redriven_as: str | None = None
    traceparent: str | None = None
    origin: Origin = NATIVE_ORIGIN
    labels: dict[str, str] = {}
    price_usd: float | None = None
    """What it costs if it completes, as known at submit; None for a job that a version before has submitted."""
    gpu_seconds: float = 0.0
    """Seconds of computing, of all attempts that have ended."""
    load_seconds: float = 0.0
    """Seconds of loading its model, of all attempts that have ended."""
    run: JobRun | None = None
    """None before its completion, and for a job that a version before has completed."""
    backend: JobBackend | None = None
    """As its claim noted it; None where the model has no order of backends. `made_by` is what it means."""
    seq: int = 0
    """Place in the order of submit among all jobs."""
    capped: bool = False
    """Whether the tenant has a limit of running jobs; known to the worker that claimed the job."""
    announced: bool = False
    """Whether the change that returned this job has also written deliveries of webhooks."""
    unserved: bool = False
    """Whether it waits though no live server serves its model; known to the submit alone, and to its repeat."""

    @property
    def made_by(self) -> JobBackend | None:
        """Who has the job or made it, and why; None before it was started."""
        if self.worker is None or self.started_at is None or self.status in WAITING:
            return None
        noted = self.backend or LOCAL_BACKEND
        return msgspec.structs.replace(noted, reason="pinned") if self.server_id == self.worker else noted

    @property
    def revised_prompt(self) -> str | None:
        """The prompt that its outputs were made of, where a text model wrote it anew, as long as they are known."""
        return self.artifacts[0].metadata.get(REVISED_PROMPT) if self.artifacts else None

    def read_params(self) -> AnyParams:
        """Return the parameters as the struct of this job's modality."""
        return read_params(self.params, PARAMS_OF[self.modality])  # type: ignore[return-value]


def job_from_row(row: "Row[Any]") -> Job:
    """Return a row of the `jobs` table as a `Job`; columns that `Job` does not have are ignored."""
    return msgspec.convert(columns_of(row), Job)


def columns_of(row: "Row[Any]") -> dict[str, Any]:
    """Return the columns of any row by name, its times in UTC: a connection shows them in the zone of its server."""
    return {
        str(name): value.astimezone(UTC) if isinstance(value, datetime) else value
        for name, value in row._mapping.items()
    }
