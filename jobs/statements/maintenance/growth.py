"""Statements of what is stored: the database's size, and that of the objects that rows name.

The objects are added up from the rows, which is a scan of them, the seldomer done the longer it takes; the sums are
kept in the table `measurements`. The database's size is asked of PostgreSQL itself, which knows it.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Executable,
    TableValuedAlias,
    Text,
    cast,
    column,
    func,
    literal,
    select,
    text,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONB, insert

from jobs.schema.tables import files, has_outputs, inputs, is_upload, jobs, measurements, media, uploads, voices
from jobs.statements.clauses import now

KINDS = ("outputs", "previews", "inputs", "uploads", "voices", "media", "files")
"""Kinds of objects that are measured. An upload counts once its link has expired, when its size is known."""

database_bytes: ColumnElement[int] = func.pg_database_size(func.current_database())


def measure() -> Executable:
    """Add up objects and bytes of each of `KINDS` and keep the sums; returns a row of the `objects` of each."""
    artifact = func.jsonb_array_elements(jobs.c.artifacts).table_valued(column("value", JSONB), name="artifact")
    # Outputs that were stored before there were previews have no such key, which gives no row here.
    made = func.jsonb_array_elements(artifact.c.value["previews"])
    preview = made.table_valued(column("value", JSONB), name="preview")
    ended = text(has_outputs)
    outputs = select(*_sums("outputs", _bytes(artifact))).select_from(jobs.join(artifact, true())).where(ended)
    previews = (
        select(*_sums("previews", _bytes(preview)))
        .select_from(jobs.join(artifact, true()).join(preview, true()))
        .where(ended)
    )
    sums = union_all(
        outputs,
        previews,
        select(*_sums("inputs", inputs.c.bytes)).where(inputs.c.status == "ready"),
        select(*_sums("uploads", uploads.c.bytes)),
        select(*_sums("voices", voices.c.bytes)),
        select(*_sums("files", files.c.bytes)),
        select(*_sums("media", media.c.bytes)).where(text(is_upload), media.c.status == "ready"),
    ).subquery()
    added = insert(measurements).from_select(["name", "objects", "bytes", "measured_at"], select(*sums.c, now))
    kept = ("objects", "bytes", "measured_at")
    fresh = {name: added.excluded[name] for name in kept}
    return added.on_conflict_do_update(index_elements=["name"], set_=fresh).returning(measurements.c.objects)


def sizes() -> Executable:
    """Return a row of `database_bytes`, and of `store_objects`, `store_bytes` and `measured_at`, null without one."""
    return select(
        database_bytes.label("database_bytes"),
        cast(func.sum(measurements.c.objects), BigInteger).label("store_objects"),
        cast(func.sum(measurements.c.bytes), BigInteger).label("store_bytes"),
        func.min(measurements.c.measured_at).label("measured_at"),
    ).select_from(measurements)


def _bytes(element: TableValuedAlias) -> ColumnElement[int]:
    return cast(element.c.value["bytes"].astext, BigInteger)


def _sums(kind: str, size: ColumnElement[Any]) -> tuple[ColumnElement[Any], ...]:
    return (
        cast(literal(kind), Text).label("name"),
        func.count(size).label("objects"),
        cast(func.coalesce(func.sum(size), 0), BigInteger).label("bytes"),
    )
