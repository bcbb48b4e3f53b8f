"""Search in the media library: by words with PostgreSQL's full text search, and by a vector of numbers."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import CTE, REAL, ColumnElement, Double, Select, cast, func, literal, literal_column, select, tuple_
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import UserDefinedType

from jobs.schema.tables import media
from jobs.statements.kept_outputs import SIMPLE
from jobs.statements.media.library import SHOWN, in_list

RANKED = 1000
"""The newest of the items with the words that are ranked: a word that every prompt has must not cost more."""
COMPARED = 50_000
"""The newest of a tenant's items that a vector is compared with."""
BY_LENGTH = 32
"""The normalization of `ts_rank` that makes it a share of one."""


def search_media(
    tenant: str,
    words: str,
    *,
    limit: int,
    kind: str | None = None,
    before: tuple[float, datetime, str] | None = None,
    include_temporary: bool = False,
) -> Select[Any]:
    """Return items with all of these words, with `similarity`, best first; `"two words"`, `or` and `-no` work too.

    The newest `RANKED` of them are ranked. `before` is similarity, time and id of the last one that was seen.
    """
    query = func.websearch_to_tsquery(SIMPLE, words)
    similarity = cast(func.ts_rank(media.c.search, query, BY_LENGTH), Double)
    matching = select(media.c.id, media.c.created_at, similarity.label("similarity")).where(
        *in_list(tenant, include_temporary=include_temporary), media.c.search.op("@@")(query)
    )
    if kind is not None:
        matching = matching.where(media.c.kind == kind)
    newest = matching.order_by(media.c.created_at.desc(), media.c.id.desc()).limit(RANKED).cte("newest")
    place = (newest.c.similarity, newest.c.created_at, newest.c.id)
    ranked = select(newest).order_by(*(each.desc() for each in place)).limit(limit)
    best = (ranked if before is None else ranked.where(tuple_(*place) < tuple_(*before))).cte("best")
    return (
        select(*SHOWN, best.c.similarity)  # of these alone: most that are ranked are not shown
        .join(best, best.c.id == media.c.id)
        .order_by(best.c.similarity.desc(), best.c.created_at.desc(), best.c.id.desc())
    )


def nearest_media(
    tenant: str,
    vector: Sequence[float],
    model: str,
    *,
    limit: int,
    kind: str | None = None,
    without: str | None = None,
    pgvector: bool = False,
) -> Select[Any]:
    """Return the items whose vectors of this model are most like `vector`, with `similarity`, best first.

    Vectors have the length 1, so that the sum of the products is the cosine. Every one of the newest `COMPARED` items
    is compared, `without` one: the ranking is exact. With `pgvector`, where `has_pgvector`, that takes a tenth of the
    time.
    """
    found = select(media.c.id, media.c.embedding).where(
        *_has_vector(tenant), *in_list(tenant, include_temporary=False), media.c.embedding_model == model
    )
    if kind is not None:
        found = found.where(media.c.kind == kind)
    if without is not None:
        found = found.where(media.c.id != without)
    newest = found.order_by(media.c.created_at.desc(), media.c.id.desc()).limit(COMPARED).cte("newest")
    product = _product_of_pgvector(newest, vector) if pgvector else _product(newest, vector)
    compared = (
        select(newest.c.id, product.label("similarity"))
        .where(func.cardinality(newest.c.embedding) == len(vector))  # a model may have got another size
        .cte("compared")
    )
    best = select(compared).order_by(compared.c.similarity.desc(), compared.c.id.desc()).limit(limit).cte("best")
    return (
        select(*SHOWN, best.c.similarity)
        .join(best, best.c.id == media.c.id)
        .order_by(best.c.similarity.desc(), best.c.id.desc())
    )


def has_pgvector() -> Select[Any]:
    """Return whether the extension `vector` is installed in this database, as `there`."""
    return select(func.to_regtype(literal_column("'vector'")).is_not(None).label("there"))


def newest_vector(tenant: str) -> Select[Any]:
    """Return the model of the tenant's newest vector, as `model`; no row without any."""
    found = select(media.c.embedding_model.label("model")).where(
        *_has_vector(tenant), *in_list(tenant, include_temporary=False)
    )
    return found.order_by(media.c.created_at.desc(), media.c.id.desc()).limit(1)


def vector_of(media_id: str, tenant: str) -> Select[Any]:
    """Return the vector of an item, as `embedding` and `embedding_model`, which are null without one."""
    return select(media.c.id, media.c.embedding, media.c.embedding_model).where(
        media.c.id == media_id, media.c.tenant == tenant, media.c.deleted_at.is_(None)
    )


def _has_vector(tenant: str) -> list[ColumnElement[bool]]:
    """Return the conditions of an item with a vector, in the words of `ix_media_embedded`."""
    return [media.c.tenant == tenant, literal_column("embedding IS NOT NULL")]


def _product(rows: CTE, vector: Sequence[float]) -> ColumnElement[Any]:
    """Return the sum of the products of a row's vector and the one that is asked for.

    They are unnested side by side in a list of columns, which keeps no rows, unlike a function in FROM. One of them is
    in double precision, as then the products are: those of single precision are an error where they are too small.
    """
    asked = cast(literal(list(vector), ARRAY(Double)), ARRAY(Double))
    pairs = select(func.unnest(rows.c.embedding).label("a"), func.unnest(asked).label("b")).correlate(rows)
    both = pairs.lateral("both")
    return select(cast(func.sum(both.c.a * both.c.b), Double)).scalar_subquery()


def _product_of_pgvector(rows: CTE, vector: Sequence[float]) -> ColumnElement[Any]:
    """Return the same by the extension `vector`."""
    asked = cast(literal(list(vector), ARRAY(REAL)), ARRAY(REAL))
    return -cast(rows.c.embedding, _Vector()).op("<#>", return_type=Double())(cast(asked, _Vector()))


class _Vector(UserDefinedType[Any]):
    """The type of the extension."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """Return the name of the type."""
        return "vector"
