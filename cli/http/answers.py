"""What the API answers, as far as the command line shows it; fields it does not know are left alone."""

from datetime import datetime

import msgspec

from jobs.wire.status import StatusAnswer
from jobs.wire.webhooks import Delivery, Webhook


class Problem(msgspec.Struct, frozen=True):
    """An RFC 9457 problem."""

    code: str = ""
    detail: str = ""
    field: str | None = None


class Accepted(msgspec.Struct, frozen=True):
    """The answer to a submit."""

    job_id: str


class Upload(msgspec.Struct, frozen=True):
    """Where a file goes that a job will name as `input_id`."""

    input_id: str
    upload_url: str
    headers: dict[str, str] = {}


class Progress(msgspec.Struct, frozen=True):
    """An event of a job; `progress` is 0 to 1."""

    status: str
    progress: float = 0.0
    stage: str | None = None
    queue_position: int | str | None = None


class JobPage(msgspec.Struct, frozen=True):
    """One page of jobs, newest first."""

    jobs: list[StatusAnswer]
    next_cursor: str | None = None


class Model(msgspec.Struct, frozen=True):
    """A catalog entry."""

    id: str
    title: str
    modality: str
    tier: str
    available: bool
    default: bool
    estimated_seconds: float


class ModelList(msgspec.Struct, frozen=True):
    """The catalog."""

    models: list[Model]


class ServerModel(msgspec.Struct, frozen=True):
    """A model in a server's memory."""

    id: str
    bytes: int = 0
    where: str = "device"
    pinned: bool = False


class Voice(msgspec.Struct, frozen=True):
    """A voice that is kept, or that of a model."""

    voice_id: str
    name: str
    kind: str
    model: str | None = None
    languages: list[str] = []
    preview_url: str | None = None
    created_at: datetime | None = None


class VoiceList(msgspec.Struct, frozen=True):
    """Kept ones, newest first, then those of models."""

    voices: list[Voice]


class Server(msgspec.Struct, frozen=True):
    """A GPU server; memory in bytes."""

    server_id: str
    alive: bool
    state: str
    desired: str
    device: str
    memory_total: int
    memory_used: int
    serves: list[str]
    resident: list[str]
    started_at: datetime
    heartbeat_age_seconds: float
    busy: bool = False
    current_job: str | None = None
    dedicated: bool = False
    models: list[ServerModel] = []
    versions: dict[str, str] = {}


class ServerList(msgspec.Struct, frozen=True):
    """Every server."""

    servers: list[Server]


class WebhookList(msgspec.Struct, frozen=True):
    """Every endpoint, newest first."""

    webhooks: list[Webhook]


class DeliveryPage(msgspec.Struct, frozen=True):
    """Deliveries, newest first."""

    deliveries: list[Delivery]
