"""An item of the media library: a file that a tenant keeps, made by a job or brought along, as a struct."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from core.ids import is_id
from jobs.job import JobError
from jobs.params.base import Labels
from jobs.previews import Preview

if TYPE_CHECKING:
    from sqlalchemy import Row  # not at run time: engines read jobs and have no database

LibraryKind = Literal["image", "video", "audio", "mesh", "document"]
MediaStatus = Literal["waiting", "ready", "failed"]
AnalysisState = Literal["none", "running", "done", "failed"]
MediaOrigin = Literal["upload", "url", "output"]

PREFIX = "med"
"""The prefix of the ids of items."""
OUTPUT = "output:"
"""What a reference to an output of a job begins with; the job's id, a slash and the number follow."""
MOST_DIGITS = 4
"""Of the number of an output."""
TEMPORARY_SECONDS = 86_400.0
"""How long a temporary item is kept."""


class ProductLink(msgspec.Struct, frozen=True, kw_only=True):
    """A product of the tenant's shop, or a variant, that an item belongs to, and its place there."""

    product_id: str | None = None
    variant_id: str | None = None
    position: int = 0


class Media(msgspec.Struct, frozen=True, kw_only=True):
    """An item, as its row has it.

    `waiting`: its file is not there yet, or nothing has looked at it; then `media_type` and `kind` are what its sender
    says. `failed`: the file did not come or cannot be used, for the reason in `problem`. `output_number` counts from 0.
    `analyzed` are the kinds of analyses that jobs were made for, `analysis_job` the one that is under way.
    """

    id: str
    tenant: str
    kind: LibraryKind | None
    status: MediaStatus
    problem: JobError | None
    filename: str | None
    description: str | None
    media_type: str | None
    bytes: int | None
    sha256: str | None
    key: str
    width: int | None
    height: int | None
    duration_seconds: float | None
    previews: tuple[Preview, ...]
    job_id: str | None
    output_number: int | None
    prompt: str | None
    model: str | None
    seed: int | None
    transcript: Any
    embedding_model: str | None
    analysis_job: str | None
    analyzed: tuple[str, ...]
    tags: tuple[str, ...]
    labels: Labels
    source: MediaOrigin
    url: str | None
    temporary: bool
    expires_at: datetime | None
    public_token: str | None
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None
    links: tuple[ProductLink, ...] = ()

    @property
    def extension(self) -> str:
        """The ending of its file's name, by its key or else by the name that its sender gave it."""
        name = self.key.rpartition("/")[2]
        return name.rpartition(".")[2] if "." in name else (self.filename or "").rpartition(".")[2] or "bin"

    @property
    def file_name(self) -> str:
        """The name that its file is saved under."""
        return self.filename or f"{self.id}.{self.extension}"

    @property
    def found(self) -> dict[str, bool]:
        """What can be found out about an item, by the kind of the analysis, and whether it is known."""
        values = {"transcript": self.transcript, "description": self.description, "embedding": self.embedding_model}
        return {kind: value is not None for kind, value in values.items()}

    @property
    def analysis(self) -> AnalysisState:
        """Whether it is being found out what is in the file; `failed` where none of the jobs has found anything."""
        if self.analysis_job is not None:
            return "running"
        if not self.analyzed:
            return "none"
        return "done" if any(self.found.get(kind) for kind in self.analyzed) else "failed"

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of its objects."""
        return (self.key, *(preview.key for preview in self.previews))

    @property
    def folder(self) -> str:
        """The beginning of the keys of its objects, where it has a folder of its own; empty for an output."""
        return folder_of(self.tenant, self.id) if self.source != "output" else ""


def folder_of(tenant: str, media_id: str) -> str:
    """Return the beginning of the keys of the objects of an item that was brought."""
    return f"{tenant}/media/{media_id}/"


def parse_output(source: str) -> tuple[str, int] | None:
    """Return the job and the number in `output:<job>/<number>`; None for any other text."""
    job_id, slash, number = source.removeprefix(OUTPUT).partition("/")
    if not source.startswith(OUTPUT) or not is_id("job", job_id) or not (slash and number.isdecimal()):
        return None
    return (job_id, int(number)) if len(number) <= MOST_DIGITS and number.isascii() else None


def media_from_row(row: "Row[Any]") -> Media:
    """Return a row of `jobs.statements.media.library` as an item; columns that it does not have are ignored."""
    columns = {
        str(name): value.astimezone(UTC) if isinstance(value, datetime) else value
        for name, value in row._mapping.items()
    }
    return msgspec.convert(columns, Media)
