"""Files and batches as OpenAI's clients send and read them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from jobs.batches import BatchStatus, LineFault, LinesFile, RequestBatch

Endpoint = Literal["/v1/images/generations", "/v1/videos"]
Purpose = Literal["batch", "vision", "user_data", "assistants", "evals"]
LONGEST_KEEP = 30 * 86_400
STATES: Mapping[BatchStatus, str] = {"expiring": "finalizing"}
"""Its words for states that it does not have."""


class NewFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file; `keep_seconds` and `anchor` are `expires_after[seconds]` and `expires_after[anchor]` of the form."""

    purpose: Purpose
    keep_seconds: Annotated[int, Meta(ge=3600, le=LONGEST_KEEP)] = msgspec.field(
        name="expires_after[seconds]", default=LONGEST_KEEP
    )
    anchor: Literal["created_at"] = msgspec.field(name="expires_after[anchor]", default="created_at")


class OpenAIFile(msgspec.Struct, frozen=True, kw_only=True, tag_field="object", tag="file"):
    """A file that is stored."""

    id: str
    bytes: int
    created_at: int
    filename: str
    purpose: str
    expires_at: int | None
    status: str = "processed"


class NewBatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A batch of the lines of a file."""

    input_file_id: Annotated[str, Meta(max_length=100)]
    endpoint: Endpoint
    completion_window: Literal["24h"] = "24h"
    metadata: (
        Annotated[dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=512)]], Meta(max_length=16)]
        | None
    ) = None


class OpenAIBatch(msgspec.Struct, frozen=True, kw_only=True, tag_field="object", tag="batch"):
    """A batch as it is now; times are seconds since 1970."""

    id: str
    endpoint: str
    status: str
    input_file_id: str
    output_file_id: str | None
    error_file_id: str | None
    completion_window: str
    created_at: int
    in_progress_at: int | None
    expires_at: int
    finalizing_at: int | None
    completed_at: int | None
    failed_at: int | None
    cancelling_at: int | None
    cancelled_at: int | None
    expired_at: int | None
    request_counts: dict[str, int]
    errors: dict[str, Any] | None
    metadata: dict[str, str] | None


def shown_file(file_id: str) -> str:
    """Return the id under which a file is shown."""
    return file_id.replace("_", "-", 1)


def native_file(shown: str) -> str:
    """Return the id of the file that is shown under this one."""
    return shown.replace("-", "_", 1)


def file_answer(file: LinesFile) -> OpenAIFile:
    """Return a file as it is shown."""
    return OpenAIFile(
        id=shown_file(file.id),
        bytes=file.bytes,
        created_at=int(file.created_at.timestamp()),
        filename=file.filename,
        purpose=file.purpose,
        expires_at=_seconds(file.expires_at),
    )


def batch_answer(batch: RequestBatch) -> OpenAIBatch:
    """Return a batch as it is shown."""

    def ended(status: str) -> int | None:
        return _seconds(batch.ended_at) if batch.status == status else None

    return OpenAIBatch(
        id=batch.id,
        endpoint=batch.endpoint,
        status=STATES.get(batch.status, batch.status),
        input_file_id=shown_file(batch.input_file),
        output_file_id=None if batch.output_file is None else shown_file(batch.output_file),
        error_file_id=None if batch.error_file is None else shown_file(batch.error_file),
        completion_window="24h",
        created_at=int(batch.created_at.timestamp()),
        in_progress_at=None if batch.status == "failed" else int(batch.created_at.timestamp()),
        expires_at=int(batch.expires_at.timestamp()),
        finalizing_at=_seconds(batch.finalizing_at),
        completed_at=ended("completed"),
        failed_at=ended("failed"),
        cancelling_at=_seconds(batch.cancelling_at),
        cancelled_at=ended("cancelled"),
        expired_at=ended("expired"),
        request_counts={"total": batch.total, "completed": batch.completed, "failed": batch.failed},
        errors=_faults(batch.faults),
        metadata=batch.labels or None,
    )


def _faults(faults: tuple[LineFault, ...]) -> dict[str, Any] | None:
    return {"object": "list", "data": faults} if faults else None


def _seconds(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp())
