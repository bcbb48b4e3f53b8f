"""What ids that sort by time spare the indexes: rows of random and of new ids, written in turn.

A million rows, 50 at a time, into two tables whose primary key is the id, on a real PostgreSQL, with a checkpoint after
every tenth of them: the first change of a page after one writes the whole page to the log. The new ids are those of a
service that makes one in each millisecond.
"""

import secrets
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import psycopg

from benchmarks.report import Figure, Report
from cli.embedded.postgres import EmbeddedPostgres
from core.ids import new_id

TITLE = "Ids that sort by time, and their index"
ROWS, BATCH, CHECKPOINTS = 1_000_000, 50, 10
SINCE = 1_764_000_000_000
"""The time of the first row, in milliseconds."""
IDS: dict[str, Callable[[int], str]] = {
    "random": lambda _: f"job_{secrets.token_hex(16)}",
    "by_time": lambda number: f"job_{SINCE + number:012x}{new_id('job')[16:]}",
}


def run(*, quick: bool = False) -> Report:
    """Measure the log that both tables write, and the size of their indexes."""
    rows = ROWS // 100 if quick else ROWS
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="atelier-bench-")))
        server = stack.enter_context(EmbeddedPostgres(folder, durable=True))
        database = stack.enter_context(psycopg.connect(server.url, autocommit=True))
        written = dict.fromkeys(IDS, 0)
        for table in IDS:
            database.execute(f"CREATE TABLE {table} (id text PRIMARY KEY)")
        for first in range(0, rows, rows // CHECKPOINTS):
            for table, make in IDS.items():
                database.execute("CHECKPOINT")
                written[table] += _fill(
                    database, table, [make(first + number) for number in range(rows // CHECKPOINTS)]
                )
        sizes = {table: _number(database, f"SELECT pg_relation_size('{table}_pkey')") for table in IDS}
    return Report(
        name="ids",
        title=TITLE,
        figures=[
            Figure("bytes of log per row, by time / random", written["by_time"] / written["random"], ""),
            Figure("size of the index, by time / random", sizes["by_time"] / sizes["random"], ""),
            *(Figure(f"bytes of log per row, {table}", written[table] / rows, "") for table in IDS),
            *(Figure(f"index of {rows:,} ids, {table}", sizes[table] / 1e6, "MB") for table in IDS),
        ],
    )


def _fill(database: psycopg.Connection, table: str, ids: list[str]) -> int:
    """Add rows; returns the bytes of write-ahead log that they took."""
    before = _number(database, "SELECT pg_current_wal_insert_lsn() - '0/0'")
    for first in range(0, len(ids), BATCH):
        database.execute(f"INSERT INTO {table} SELECT unnest(%s::text[])", (ids[first : first + BATCH],))
    return _number(database, "SELECT pg_current_wal_insert_lsn() - '0/0'") - before


def _number(database: psycopg.Connection, query: str) -> int:
    row = database.execute(query).fetchone()
    assert row is not None
    return int(row[0])
