"""What PostgreSQL did to answer a statement."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Engine, Executable


def scans(engine: Engine, statement: Executable) -> list[dict[str, Any]]:
    """Execute a statement; the nodes of its plan that read the table of jobs, with what they read."""
    compiled = statement.compile(engine)  # type: ignore[attr-defined]
    with engine.begin() as connection:
        explained = connection.exec_driver_sql(
            f"EXPLAIN (ANALYZE, FORMAT JSON) {compiled}", compiled.construct_params()
        )
        return list(_scans_of(explained.scalar_one()[0]["Plan"]))


def rows_read(scan: dict[str, Any]) -> float:
    """Rows that a node has read, whether they were of use or not."""
    return float((scan["Actual Rows"] + scan.get("Rows Removed by Filter", 0)) * scan["Actual Loops"])


def _scans_of(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if plan.get("Relation Name") == "jobs" and "Scan" in plan["Node Type"]:
        yield plan
    for below in plan.get("Plans", ()):
        yield from _scans_of(below)
