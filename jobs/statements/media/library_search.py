"""Search in the media library: by words with PostgreSQL's full text search, and by a vector of numbers."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import REAL, Double, Select, cast, column, func, literal, literal_column, select, tuple_
from sqlalchemy.dialects.postgresql import ARRAY

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


def nearest_media(tenant: str, vector: Sequence[float], model: str, *, limit: int) -> Select[Any]:
    """Return the items whose vectors of this model are most like `vector`, with `similarity`, best first.

    Vectors have the length 1, so that the sum of the products is the cosine. Every one of the newest `COMPARED` items
    is compared: the ranking is exact.
    """
    newest = (
        select(media.c.id, media.c.embedding)
        .where(
            *in_list(tenant, include_temporary=False),
            literal_column("embedding IS NOT NULL"),
            media.c.embedding_model == model,
        )
        .order_by(media.c.created_at.desc(), media.c.id.desc())
        .limit(COMPARED)
        .cte("newest")
    )
    pairs = (
        func.unnest(newest.c.embedding, cast(literal(list(vector), ARRAY(REAL)), ARRAY(REAL)))
        .table_valued(column("a", REAL), column("b", REAL), name="pairs")
        .render_derived(name="pairs")
    )
    product = select(cast(func.sum(pairs.c.a * pairs.c.b), Double)).select_from(pairs).scalar_subquery()
    compared = select(newest.c.id, product.label("similarity")).cte("compared")
    return (
        select(*SHOWN, compared.c.similarity)
        .join(compared, compared.c.id == media.c.id)
        .order_by(compared.c.similarity.desc(), media.c.created_at.desc(), media.c.id.desc())
        .limit(limit)
    )
