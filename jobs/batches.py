"""Batches: many requests of a file, made as ordinary jobs, and their answers in another file."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from jobs.job import columns_of

if TYPE_CHECKING:
    from sqlalchemy import Row

BATCH, FILE = "batch", "file"
"""The prefixes of ids."""
BatchStatus = Literal[
    "in_progress", "cancelling", "expiring", "finalizing", "completed", "failed", "cancelled", "expired"
]


class AnswerFormat(msgspec.Struct, frozen=True, omit_defaults=True):
    """How the answer of a line is to be written: images as links or as files, and the quality that was asked for."""

    links: bool = False
    quality: str = "auto"


class LineProblem(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a line has no answer.

    `status` is that of the answer which its request would have had by itself; None where it was never sent.
    """

    code: str
    message: str
    status: int | None = None
    param: str | None = None


class LineFault(msgspec.Struct, frozen=True):
    """What is wrong with a line, counted from 1, that cannot be read."""

    code: str
    message: str
    line: int | None = None
    param: str | None = None


class LinesFile(msgspec.Struct, frozen=True, kw_only=True):
    """One row of `files`."""

    id: str
    tenant: str
    filename: str
    purpose: str
    bytes: int
    key: str
    created_at: datetime
    expires_at: datetime | None


class RequestBatch(msgspec.Struct, frozen=True, kw_only=True):
    """One row of `batches`; `completed` and `failed` are numbers of lines."""

    id: str
    tenant: str
    endpoint: str
    status: BatchStatus
    input_file: str
    output_file: str | None
    error_file: str | None
    total: int
    completed: int
    failed: int
    faults: tuple[LineFault, ...]
    labels: dict[str, str]
    created_at: datetime
    expires_at: datetime
    finalizing_at: datetime | None
    cancelling_at: datetime | None
    ended_at: datetime | None


def file_key(tenant: str, file_id: str) -> str:
    """Return where the content of a file is in the store."""
    return f"{tenant}/files/{file_id}"


def batch_from_row(row: "Row[Any]") -> RequestBatch:
    """Return a row of `batches`."""
    return msgspec.convert(columns_of(row), RequestBatch)


def file_from_row(row: "Row[Any]") -> LinesFile:
    """Return a row of `files`."""
    return msgspec.convert(columns_of(row), LinesFile)
