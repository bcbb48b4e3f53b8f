"""Statements that delete items of the media library. A CPU worker removes their objects, and then their rows."""

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Delete,
    Integer,
    Select,
    Update,
    case,
    cast,
    column,
    delete,
    func,
    literal,
    literal_column,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, aggregate_order_by

from jobs.schema.tables import jobs, media, media_links
from jobs.statements.clauses import now
from jobs.statements.kept_outputs import shows_first
from jobs.statements.media.library import SHOWN


def gone_values() -> dict[str, Any]:
    """Return the values of a deleted item: no statement finds it any more, and a CPU worker looks at it at once."""
    return {"deleted_at": now, "public_token": None, "look_at": now, "attempt": 0}


def erase_media(media_id: str, tenant: str) -> Select[Any]:
    """Delete an item, and return its row, if the tenant has it; the pictures of a job's first output go with it.

    The job of an output notes what is gone.
    """
    erased = (
        update(media)
        .where(media.c.id == media_id, media.c.tenant == tenant, media.c.deleted_at.is_(None))
        .values(gone_values())
        .returning(*SHOWN)
        .cte("erased")
    )
    pictures = (
        update(media)
        .where(media.c.job_id == erased.c.job_id, media.c.tenant == tenant, media.c.deleted_at.is_(None))
        .where(erased.c.output_number == 0, shows_first(media.c.kind, erased.c.kind))
        .values(gone_values())
        .returning(media.c.id, media.c.output_number)
        .cte("pictures")
    )
    gone = union_all(*(select(one.c.id, one.c.output_number) for one in (erased, pictures))).cte("gone")
    noted = (
        update(jobs)
        .where(jobs.c.id == erased.c.job_id, jobs.c.tenant == tenant)
        .values(artifacts=_without(select(gone.c.output_number)))
        .cte("noted")
    )
    unlinked = delete(media_links).where(media_links.c.media_id.in_(select(gone.c.id))).cte("unlinked")
    return select(erased).add_cte(noted, unlinked)


def _without(numbers: Select[Any]) -> ColumnElement[Any]:
    """Return the artifacts of a job, in which those of these numbers are marked as removed."""
    output = (
        func.jsonb_array_elements(jobs.c.artifacts)
        .table_valued(column("value", JSONB), with_ordinality="place", name="output")
        .render_derived(name="output")
    )
    value, place = output.c.value, output.c.place
    is_gone = (cast(place, Integer) - literal_column("1")).in_(numbers)
    marked = case((is_gone, func.jsonb_set(value, _REMOVED, literal(True, JSONB))), else_=value)
    return select(func.jsonb_agg(aggregate_order_by(marked, place))).correlate(jobs).scalar_subquery()


_REMOVED: ColumnElement[Any] = literal_column("'{metadata,removed}'::text[]")


def erase_outputs(job_id: str, tenant: str) -> Update:
    """Delete the items that are outputs of a job."""
    return (
        update(media)
        .where(media.c.job_id == job_id, media.c.tenant == tenant, media.c.deleted_at.is_(None))
        .values(gone_values())
    )


def forget_media(media_id: str) -> Delete:
    """Remove the row of a deleted item, after its objects."""
    return delete(media).where(media.c.id == media_id, media.c.deleted_at.is_not(None))
