"""An item of the media library: a file that a tenant keeps, made by a job or brought along, as a struct."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from jobs.job import JobError
from jobs.params.base import Labels

if TYPE_CHECKING:
    from sqlalchemy import Row  # not at run time: engines read jobs and have no database

LibraryKind = Literal["image", "video", "audio", "mesh", "document"]
MediaStatus = Literal["waiting", "ready", "failed"]
MediaOrigin = Literal["upload", "url", "output"]

PREFIX = "med"
"""The prefix of the ids of items."""
OUTPUT = "output:"
"""What a reference to an output of a job begins with; the job's id, a slash and the number follow."""
TEMPORARY_SECONDS = 86_400.0
"""How long a temporary item is kept."""


class MediaPreview(msgspec.Struct, frozen=True, kw_only=True):
    """A smaller rendering of an item: where it is and what it is. `name` is unique within the item."""

    name: str
    key: str
    media_type: str
    bytes: int
    width: int | None = None
    height: int | None = None


class ProductLink(msgspec.Struct, frozen=True, kw_only=True):
    """A product of the tenant's shop, or a variant of it, that an item belongs to, and its place there."""

    product_id: str
    variant_id: str | None = None
    position: int = 0


class Media(msgspec.Struct, frozen=True, kw_only=True):
    """An item, as its row has it.

    `waiting`: its file is not there yet, or nothing has looked at it; then `media_type` and `kind` are what its sender
    says. `failed`: the file did not come or cannot be used, for the reason in `problem`. `output_number` counts from 0.
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
    previews: tuple[MediaPreview, ...]
    job_id: str | None
    output_number: int | None
    prompt: str | None
    model: str | None
    seed: int | None
    transcript: Any
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


def media_from_row(row: "Row[Any]") -> Media:
    """Return a row of `jobs.statements.media.library` as an item; columns that it does not have are ignored."""
    columns = {
        str(name): value.astimezone(UTC) if isinstance(value, datetime) else value
        for name, value in row._mapping.items()
    }
    return msgspec.convert(columns, Media)
