"""Statements about items of the media library: add, find, list, change. A deleted item is in none of them."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Insert,
    Select,
    Text,
    case,
    cast,
    func,
    literal,
    literal_column,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate

from jobs.media import TEMPORARY_SECONDS
from jobs.schema.tables import has_labels, has_tags, is_listed, is_of_variant, is_upload, media, media_links
from jobs.statements.clauses import after, now, tx_now
from jobs.statements.kept_outputs import text_vector

Sort = Literal["newest", "oldest", "updated"]

VECTOR = "embedding"
HIDDEN = {"search", "embedding", "analyze_at", "look_at", "attempt", "tries", "deleted_at"}
TEXTS = ("prompt", "description", "filename", "tags", "transcript")
"""Columns that a search looks in."""

_link = func.jsonb_build_object(
    *("product_id", func.nullif(media_links.c.product_id, "")),
    *("variant_id", func.nullif(media_links.c.variant_id, "")),
    *("position", media_links.c.position),
)
_links = (
    select(func.coalesce(func.jsonb_agg(_link), literal_column("'[]'::jsonb")))
    .where(media_links.c.media_id == media.c.id)
    .correlate(media)
    .scalar_subquery()
    .label("links")
)
SHOWN: tuple[ColumnElement[Any], ...] = (*(one for one in media.c if one.name not in HIDDEN), _links)
"""The columns of an item, as `jobs.media.media_from_row` reads them."""


def add_media(
    media_id: str, tenant: str, values: Mapping[str, Any], *, max_items: int, max_bytes: int, bytes_each: int
) -> Insert:
    """Add an item that the tenant brings; no row when it has brought as many or as large ones as it may.

    `values` are of columns. A file that is waited for counts as the `bytes` that its sender says, or else as
    `bytes_each`; one that has failed is gone, and its row alone counts. Requests at the same moment may exceed the
    limits by their number.
    """
    own = {**values, "id": media_id, "tenant": tenant}
    each, none = literal(bytes_each, BigInteger), literal_column("0", BigInteger)
    size = case((media.c.status == literal_column("'failed'"), none), else_=func.coalesce(media.c.bytes, each))
    brought = (
        select(func.count().label("number"), func.coalesce(func.sum(size), 0).label("bytes"))
        .where(media.c.tenant == tenant, text(is_upload))
        .subquery("brought")
    )
    never: ColumnElement[Any] = literal_column("NULL::timestamptz")
    row: dict[str, ColumnElement[Any]] = {
        **{name: cast(literal(value, media.c[name].type), media.c[name].type) for name, value in own.items()},
        "expires_at": after(TEMPORARY_SECONDS) if own.get("temporary") else never,
        "search": search_of(own),
        **dict.fromkeys(("look_at", "created_at", "updated_at"), tx_now),
    }
    allowed = select(*row.values()).where(
        brought.c.number < max_items, brought.c.bytes + (own.get("bytes") or bytes_each) <= max_bytes
    )
    return media.insert().from_select(list(row), allowed).returning(*SHOWN)


def find_media(media_ids: Collection[str], tenant: str) -> Select[Any]:
    """Return those of the items that the tenant has."""
    return select(*SHOWN).where(media.c.id.in_(media_ids), media.c.tenant == tenant, media.c.deleted_at.is_(None))


def find_outputs(job_ids: Collection[str], tenant: str) -> Select[Any]:
    """Return the items that are outputs of these jobs."""
    return select(*SHOWN).where(media.c.job_id.in_(job_ids), media.c.tenant == tenant, media.c.deleted_at.is_(None))


def by_id(media_id: str) -> Select[Any]:
    """Return an item of any tenant, for signed links."""
    return select(*SHOWN).where(media.c.id == media_id, media.c.deleted_at.is_(None))


def by_public_token(token: str) -> Select[Any]:
    """Return the item that is published under a token."""
    return select(*SHOWN).where(media.c.public_token == token, media.c.deleted_at.is_(None))


def list_media(
    tenant: str,
    *,
    limit: int,
    kind: str | None = None,
    tags: Collection[str] = (),
    labels: Mapping[str, str] | None = None,
    product_id: str | None = None,
    variant_id: str | None = None,
    sort: Sort = "newest",
    before: tuple[datetime, str] | None = None,
    include_temporary: bool = False,
) -> Select[Any]:
    """Return items of a tenant, those that have all of these tags and labels.

    `before` is the time and the id of the last one that was seen; the time is that of its change where those decide.
    """
    query = select(*SHOWN).where(*in_list(tenant, include_temporary=include_temporary))
    if kind is not None:
        query = query.where(media.c.kind == kind)
    if tags:
        query = query.where(text(has_tags), media.c.tags.op("@>")(literal(list(tags), media.c.tags.type)))
    if labels:
        query = query.where(text(f"media.{has_labels}"), media.c.labels.contains(dict(labels)))
    if product_id is not None or variant_id is not None:
        query = query.where(media.c.id.in_(_linked(tenant, product_id, variant_id)))
    time = media.c.updated_at if sort == "updated" else media.c.created_at
    position = tuple_(time, media.c.id)
    if sort == "oldest":
        query = query if before is None else query.where(position > tuple_(*before))
        return query.order_by(time, media.c.id).limit(limit)
    query = query if before is None else query.where(position < tuple_(*before))
    return query.order_by(time.desc(), media.c.id.desc()).limit(limit)


def in_list(tenant: str, *, include_temporary: bool) -> list[ColumnElement[bool]]:
    """Return the conditions of an item that lists show."""
    listed: list[ColumnElement[bool]] = [media.c.tenant == tenant, literal_column(f"({is_listed})")]
    return listed if include_temporary else [*listed, media.c.temporary.is_(False)]


def change_media(media_id: str, tenant: str, values: Mapping[str, Any]) -> ReturningUpdate[Any]:
    """Change columns of an item; no row for one that the tenant does not have."""
    changed: dict[str, Any] = {**values, "updated_at": now}
    if values.keys() & {*TEXTS}:
        changed["search"] = search_of(values, changes=True)
    return (
        update(media)
        .where(media.c.id == media_id, media.c.tenant == tenant, media.c.deleted_at.is_(None))
        .values(changed)
        .returning(*SHOWN)
    )


def without_prompt() -> dict[str, Any]:
    """Return the values of an item whose prompt is forgotten, so that no search finds it by that either.

    Its vector may have been made of the prompt: it goes, and another one may be made of what is left.
    """
    had_vector = media.c.embedding.is_not(None)
    return {
        "prompt": None,
        "search": search_of({"prompt": None}, changes=True),
        "embedding": None,
        "embedding_model": None,
        "analyze_at": case((had_vector, now), else_=media.c.analyze_at),
        "analyzed": case((had_vector, func.array_remove(media.c.analyzed, VECTOR)), else_=media.c.analyzed),
    }


def search_of(values: Mapping[str, Any], *, changes: bool = False) -> ColumnElement[Any]:
    """Return what a search looks in for an item of these values, of Python or of SQL.

    A change takes others from the row.
    """

    def value_of(name: str) -> ColumnElement[Any]:
        if changes and name not in values:
            return media.c[name]
        value = values.get(name)
        if isinstance(value, ColumnElement):
            return value
        return cast(literal(value, media.c[name].type), media.c[name].type)

    prompt, description, filename, tags, transcript = map(value_of, TEXTS)
    said = func.jsonb_path_query(transcript, _STRINGS).column_valued("said")
    sentences = select(func.string_agg(said.op("#>>", return_type=Text)(literal_column("'{}'")), _SPACE))
    return text_vector(prompt, description, filename, func.array_to_string(tags, _SPACE), sentences.scalar_subquery())


_STRINGS: ColumnElement[Any] = literal_column("""'strict $.** ? (@.type() == "string")'::jsonpath""")
_SPACE: ColumnElement[Any] = literal_column("' '")


def _linked(tenant: str, product_id: str | None, variant_id: str | None) -> Select[Any]:
    linked = select(media_links.c.media_id).where(media_links.c.tenant == tenant)
    if product_id is not None:
        linked = linked.where(media_links.c.product_id == product_id)
    return linked if variant_id is None else linked.where(text(is_of_variant), media_links.c.variant_id == variant_id)
