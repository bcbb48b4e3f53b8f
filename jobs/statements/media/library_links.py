"""Statements about the links of items of the media library to products of the tenant's shop."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Delete, Integer, Select, cast, delete, literal, select
from sqlalchemy.dialects.postgresql import JSONB, insert

from jobs.schema.tables import media, media_links


def link_media(positions: Mapping[str, int], tenant: str, product_id: str | None, variant_id: str | None) -> Any:
    """Link items, each at its position, to a product, a variant of it or a variant alone.

    Returns the ids of those that the tenant has.

    A link that is there gets the new position.
    """
    position = cast(literal(dict(positions), JSONB)[media.c.id].astext, Integer)
    rows: Select[Any] = select(
        media.c.id, media.c.tenant, literal(product_id or ""), literal(variant_id or ""), position
    ).where(media.c.id.in_(positions), media.c.tenant == tenant, media.c.deleted_at.is_(None))
    added = insert(media_links).from_select(["media_id", "tenant", "product_id", "variant_id", "position"], rows)
    return added.on_conflict_do_update(
        index_elements=["media_id", "product_id", "variant_id"], set_={"position": added.excluded.position}
    ).returning(media_links.c.media_id)


def unlink_media(media_id: str, tenant: str, product_id: str | None, variant_id: str | None) -> Any:
    """Remove the link of an item to what `link_media` names so; returns the item's id if there was one."""
    removed: Delete = delete(media_links).where(
        media_links.c.media_id == media_id,
        media_links.c.tenant == tenant,
        media_links.c.product_id == (product_id or ""),
        media_links.c.variant_id == (variant_id or ""),
    )
    return removed.returning(media_links.c.media_id)
