"""Statements compiled once in a run, not once in each engine: a test has engines of its own, and most compile alike."""

from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg, PGDialectAsync_psycopg
from sqlalchemy.engine import Dialect, Engine
from sqlalchemy.util import LRUCache

STATEMENTS = 5_000


def share() -> None:
    """Give all engines of this process one cache; its keys have the dialect, and all of a kind count as equal."""
    cache: LRUCache[object, object] = LRUCache(STATEMENTS)
    Engine._compiled_cache = property(lambda _: cache, lambda *_: None)  # type: ignore[assignment]
    for kind in (PGDialect_psycopg, PGDialectAsync_psycopg):
        kind.__hash__ = _hash_of_kind  # type: ignore[method-assign]
        kind.__eq__ = _is_of_kind  # type: ignore[assignment,method-assign]


def _hash_of_kind(dialect: Dialect) -> int:
    return hash(type(dialect))


def _is_of_kind(dialect: Dialect, other: object) -> bool:
    return type(dialect) is type(other)
