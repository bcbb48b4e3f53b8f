"""Queries of every poll and every submit: SQL text for the driver, whose result is one column of JSON.

SQLAlchemy takes longer to build such a statement, and the driver to read its fifty columns, than PostgreSQL takes to
execute it. JSON is decoded into a struct in one pass. The queries are calls of functions of the database, so that their
plans are kept through any PgBouncer.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Generic, TypeVar

import msgspec

from jobs.statements.table_function import define_query

T = TypeVar("T")


class Query(msgspec.Struct, Generic[T], frozen=True):
    """SQL in psycopg's form, a value for each `%s` of it, the type of its rows, and whether it changes nothing."""

    text: str
    values: tuple[Any, ...]
    type: type[T]
    reads: bool

    def decode(self, row: str) -> T:
        """Return the struct of a row."""
        return msgspec.json.decode(row, type=self.type)


def text_array(values: Iterable[str | None]) -> str:
    """Return the literal of an array of texts: psycopg takes longer over a list than over all the rest of a query."""
    return "{" + ",".join("NULL" if value is None else _quoted(value) for value in values) + "}"


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


class DatabaseFunction(msgspec.Struct, frozen=True, kw_only=True):
    """A function of the database that returns rows of one column, JSON as text.

    Its name has a digest of all the rest (`jobs.statements.queue.functions` says why).
    """

    kind: str
    arguments: Mapping[str, str]
    """The SQL types, by name."""
    body: str
    """The statement, with its arguments by name, or as `$1`, `$2` and so on."""
    options: str
    """Its volatility, and the settings under which it is planned and executed."""

    @property
    def name(self) -> str:
        """Its name."""
        return self._defined[0]

    @property
    def definition(self) -> str:
        """The SQL that makes it."""
        return self._defined[1]

    @property
    def call(self) -> str:
        """The SQL of a `Query` that calls it."""
        return f"SELECT {self.name}({', '.join(f'%s::{type_}' for type_ in self.arguments.values())})"

    @property
    def _defined(self) -> tuple[str, str]:
        taken = ", ".join(f"{name} {type_}" for name, type_ in self.arguments.items())
        options = f"{self.options} SET timezone = 'UTC'"  # whatever the server prefers
        return define_query(self.kind, f"({taken}) RETURNS SETOF text", options, self.body)
