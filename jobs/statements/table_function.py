"""Statements as functions of the database, so that their plans are made once per connection, through any PgBouncer.

A function has the SQL of a statement, with some of its parameters as arguments. Its name has a digest of all the rest:
`jobs.statements.queue.functions` says why. The plan is a generic one from the first call on, and stays while tables
grow from nothing to millions. So what a planner prefers while a table is small is switched off.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Select, TextualSelect, Update, bindparam, column, text
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.types import TypeEngine

PLANNING = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "jit": "off",
}
"""The settings under which a statement is planned and executed."""
_DIALECT = psycopg.dialect()  # type: ignore[no-untyped-call]


class TableFunction(msgspec.Struct, frozen=True, kw_only=True):
    """A function that returns the rows of a statement."""

    name: str
    body: str
    """The statement, with its arguments as `$1`, `$2` and so on."""
    arguments: Mapping[str, TypeEngine[Any]]
    """The type of each argument, by the name of the statement's parameter."""
    columns: Mapping[str, TypeEngine[Any]]
    """The type of each column of its rows, by name."""
    definition: str
    """The SQL that makes it."""

    def call(self, values: Mapping[str, Any]) -> TextualSelect:
        """Return the statement that calls it with a value for each argument.

        It names no column, since PostgreSQL takes longer to read the names of fifty than to find them.
        """
        given = ", ".join(f"CAST(:{name} AS {_sql(type_)})" for name, type_ in self.arguments.items())
        bound = (bindparam(name, values[name], type_) for name, type_ in self.arguments.items())
        returned = (column(name, type_) for name, type_ in self.columns.items())
        return text(f"SELECT * FROM {self.name}({given})").bindparams(*bound).columns(*returned)  # noqa: S608


def table_function(
    kind: str,
    statement: Select[Any] | Update,
    arguments: Mapping[str, TypeEngine[Any]],
    planning: Mapping[str, str] = PLANNING,
    *,
    shortcut: Select[Any] | Update | None = None,
) -> TableFunction:
    """Return the function of a statement, planned and executed under `planning`; its name begins with `kind`.

    The `shortcut` is executed first, and the statement only where that returns no row.
    """
    bodies = [body_of(each, list(arguments)) for each in (shortcut, statement) if each is not None]
    columns = {found.name: found.type for found in statement.exported_columns}
    taken = ", ".join(_sql(type_) for type_ in arguments.values())
    returned = ", ".join(f'"{name}" {_sql(type_)}' for name, type_ in columns.items())
    name, definition = define_query(
        kind, f"({taken}) RETURNS TABLE ({returned})", f"VOLATILE {set_options(planning)}", *bodies
    )
    return TableFunction(name=name, body=bodies[-1], arguments=arguments, columns=columns, definition=definition)


def define_query(kind: str, signature: str, options: str, *bodies: str) -> tuple[str, str]:
    """Return what `define` does for a function that returns the rows of the first query that has any.

    `signature` is its arguments and its result in SQL, `options` its volatility and settings, `bodies` the queries.
    """
    queries = "\n    IF FOUND THEN RETURN; END IF;\n".join(f"    RETURN QUERY {body};" for body in bodies)
    return define(
        kind,
        f"{signature}\nLANGUAGE plpgsql {options} AS $function$\n"
        f"#variable_conflict use_column\nBEGIN\n{queries}\nEND\n$function$",
    )


def define(kind: str, rest: str) -> tuple[str, str]:
    """Return the name of a function, which is its kind and a digest of `rest`, and the SQL that makes it."""
    name = f"{kind}_{hashlib.sha256(rest.encode()).hexdigest()[:12]}"
    return name, f"CREATE OR REPLACE FUNCTION {name}{rest}"


def set_options(planning: Mapping[str, str]) -> str:
    """Return the SQL by which a function has its own settings."""
    return " ".join(f"SET {name} = {value}" for name, value in planning.items())


def body_of(statement: Select[Any] | Update, arguments: Sequence[str]) -> str:
    """Return the SQL of a statement; the parameters that are `arguments` are `$1`, `$2` and so on, others constants."""
    compiled = statement.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
    places = {name: f"${number}" for number, name in enumerate(arguments, start=1)}
    return str(compiled) % {name: places.get(name) or _constant(value) for name, value in compiled.params.items()}


def _sql(type_: Any) -> str:
    return str(type_.compile(_DIALECT))


def _constant(value: float | str | None) -> str:
    if value is None:
        return "NULL"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)
