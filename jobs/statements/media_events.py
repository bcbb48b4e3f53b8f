"""The events of items of the media library, for endpoints of a dialect whose clients know such events.

A row of the outbox names its subject in `job_id`, which is an item here. A worker of the version before finds no job of
that id and drops the row.
"""

from collections.abc import Sequence
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from sqlalchemy import Insert, Select, Text, Update, any_, bindparam, column, func, insert, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert

from jobs.schema.tables import media, outbox, webhooks
from jobs.statements.outbox import FRESH

COLUMNS = ("id", "tenant", "job_id", "event_seq", "type", "url", "webhook_id")


def with_media_events(change: Update, events: Sequence[str]) -> Select[Any]:
    """Add events, in their order, to a change of an item; the statement returns the item's id, or no row.

    Each endpoint gets those of them that it was added for.
    """
    changed = change.returning(media.c.id, media.c.tenant).cte("changed")
    due = (
        func.unnest(bindparam("due_events", list(events), ARRAY(Text)))
        .table_valued(column("event", Text), with_ordinality="place", name="due")
        .render_derived(name="due")
    )
    rows = (
        select(FRESH, changed.c.tenant, changed.c.id, due.c.place, due.c.event, webhooks.c.url, webhooks.c.id)
        .select_from(changed)
        .join(webhooks, webhooks.c.tenant == changed.c.tenant)
        .join(due, due.c.event == any_(webhooks.c.dialect_events))
        .where(webhooks.c.disabled_at.is_(None))
    )
    return select(changed.c.id).add_cte(insert(outbox).from_select(list(COLUMNS), rows).cte("events"))


def add_output_events(delivery: Any, events: Sequence[tuple[str, str]]) -> Insert:
    """Add events, as (item, event), for the endpoint of a job's delivery: of the items that are the job's outputs.

    They are derived from the delivery, so another attempt of it adds none.
    """
    rows = [
        {
            "id": f"msg_{uuid5(NAMESPACE_OID, f'{delivery.id} {media_id} {event}').hex}",
            "tenant": delivery.tenant,
            "job_id": media_id,
            "event_seq": place,
            "type": event,
            "url": delivery.url,
            "webhook_id": delivery.webhook_id,
        }
        for place, (media_id, event) in enumerate(events, start=1)
    ]
    return upsert(outbox).values(rows).on_conflict_do_nothing(index_elements=["id"])
