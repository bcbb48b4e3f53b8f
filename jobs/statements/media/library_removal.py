"""Statements that delete items of the media library. A CPU worker removes their objects, and then their rows."""

from typing import Any

from sqlalchemy import Delete, Select, Text, Update, cast, delete, func, literal, select, update
from sqlalchemy.dialects.postgresql import JSONB, array

from jobs.schema.tables import jobs, media, media_links
from jobs.statements.clauses import now
from jobs.statements.media.library import SHOWN


def gone_values() -> dict[str, Any]:
    """Return the values of a deleted item: no statement finds it any more, and a CPU worker looks at it at once."""
    return {"deleted_at": now, "public_token": None, "look_at": now, "attempt": 0}


def erase_media(media_id: str, tenant: str) -> Select[Any]:
    """Delete an item, and return its row, if the tenant has it; the job of an output notes that it is gone."""
    erased = (
        update(media)
        .where(media.c.id == media_id, media.c.tenant == tenant, media.c.deleted_at.is_(None))
        .values(gone_values())
        .returning(*SHOWN)
        .cte("erased")
    )
    path = array([cast(erased.c.output_number, Text), literal("metadata"), literal("removed")])
    noted = (
        update(jobs)
        .where(jobs.c.id == erased.c.job_id, jobs.c.tenant == tenant)
        .values(artifacts=func.jsonb_set(jobs.c.artifacts, path, literal(True, JSONB)))
        .cte("noted")
    )
    unlinked = delete(media_links).where(media_links.c.media_id == erased.c.id).cte("unlinked")
    return select(erased).add_cte(noted, unlinked)


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
