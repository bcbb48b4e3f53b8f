"""What PostgreSQL did to answer a statement."""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import psycopg
from psycopg.types.json import Jsonb
from sqlalchemy import Engine, Executable

from jobs.statements.table_function import PLANNING, TableFunction


def scans(engine: Engine, statement: Executable, *tables: str) -> list[dict[str, Any]]:
    """Execute a statement; the nodes of its plan that read the table of jobs, or `tables`, with what they read."""
    compiled = statement.compile(engine, compile_kwargs={"render_postcompile": True})  # type: ignore[attr-defined]
    with engine.begin() as connection:
        given = compiled.construct_params()
        values = {name: Jsonb(value) if isinstance(value, dict) else value for name, value in given.items()}
        explained = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {compiled}", values)
        return list(_scans_of(explained.scalar_one()[0]["Plan"], tables or ("jobs",)))


def scans_of_function(
    engine: Engine,
    function: TableFunction,
    arguments: Mapping[str, Any],
    fill: Callable[[], Mapping[str, Any] | None],
    *tables: str,
    planning: Mapping[str, str] = PLANNING,
) -> list[dict[str, Any]]:
    """Plan the statement of a function, as its first call does, then fill the tables and execute it by that plan.

    `fill` may return other arguments for that. Returned are the nodes that read the table of jobs, or `tables`.
    """
    values = list(arguments.values())
    marks = ", ".join(["%s"] * len(values))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        for name, value in planning.items():
            driver.execute(f"SET {name} = {value}")
        types = ", ".join(str(type_.compile(engine.dialect)) for type_ in function.arguments.values())
        driver.execute(f"PREPARE asked ({types}) AS {function.body}")
        cursor = psycopg.ClientCursor(driver)
        cursor.execute(f"EXECUTE asked ({marks})", values)
        values = list((fill() or arguments).values())
        (plan,) = cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE asked ({marks})", values).fetchone() or ()
        driver.execute("DISCARD ALL")
    return list(_scans_of(plan[0]["Plan"], tables or ("jobs",)))


def rows_read(scan: dict[str, Any]) -> float:
    """Rows that a node has read, whether they were of use or not."""
    return float((scan["Actual Rows"] + scan.get("Rows Removed by Filter", 0)) * scan["Actual Loops"])


def _scans_of(plan: dict[str, Any], tables: Collection[str]) -> Iterator[dict[str, Any]]:
    if plan.get("Relation Name") in tables and "Scan" in plan["Node Type"]:
        yield plan
    for below in plan.get("Plans", ()):
        yield from _scans_of(below, tables)
