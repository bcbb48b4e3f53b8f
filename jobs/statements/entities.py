"""Statements about entities: people, products and styles that a tenant's tools make pictures of.

Each is bound to a tenant; an archived one is in none of them.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Insert, Select, Update, delete, func, insert, literal, select, tuple_, update
from sqlalchemy.sql.dml import ReturningDelete

from jobs.schema.tables import entities
from jobs.statements.clauses import now


def add_entity(entity_id: str, tenant: str, *, type_: str, name: str, description: str, most: int) -> Insert:
    """Add an entity and return its row; no row where the tenant has `most` or more.

    Requests at the same moment may exceed the limit by their number.
    """
    present = (
        select(func.count().label("number"))
        .where(entities.c.tenant == tenant, entities.c.archived_at.is_(None))
        .subquery("present")
    )
    values = {"id": entity_id, "tenant": tenant, "type": type_, "name": name, "description": description}
    row = select(*map(literal, values.values())).where(present.c.number < most)
    return insert(entities).from_select(list(values), row).returning(*entities.c)


def find_entities(entity_ids: Collection[str], tenant: str, *, lock: bool = False) -> Select[Any]:
    """Return those of the entities that the tenant has; locked to the end of the transaction, if asked for."""
    found = select(*entities.c).where(
        entities.c.id.in_(entity_ids), entities.c.tenant == tenant, entities.c.archived_at.is_(None)
    )
    return found.with_for_update() if lock else found


def list_entities(
    tenant: str, *, limit: int, type_: str | None = None, before: tuple[datetime, str] | None = None
) -> Select[Any]:
    """Return a tenant's entities, newest first; `before` is the (created_at, id) of the last one already seen."""
    query = select(*entities.c).where(entities.c.tenant == tenant, entities.c.archived_at.is_(None))
    if type_ is not None:
        query = query.where(entities.c.type == type_)
    if before is not None:
        query = query.where(tuple_(entities.c.created_at, entities.c.id) < tuple_(*before))
    return query.order_by(entities.c.created_at.desc(), entities.c.id.desc()).limit(limit)


def change_entity(entity_id: str, tenant: str, values: Mapping[str, Any]) -> Update:
    """Change columns of an entity; returns its row, or none."""
    return (
        update(entities)
        .where(entities.c.id == entity_id, entities.c.tenant == tenant, entities.c.archived_at.is_(None))
        .values({**values, "updated_at": now})
        .returning(*entities.c)
    )


def archive_entity(entity_id: str, tenant: str) -> ReturningDelete[Any]:
    """Archive an entity, which nothing can bring back: its row goes. Returns its id, or no row."""
    own = entities.c.id == entity_id, entities.c.tenant == tenant, entities.c.archived_at.is_(None)
    return delete(entities).where(*own).returning(entities.c.id)
