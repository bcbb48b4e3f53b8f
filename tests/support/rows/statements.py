"""The statements of the APIs that run in this process, whether SQLAlchemy executes them or the driver alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

PING = ";"


@contextmanager
def executed() -> Iterator[list[str]]:
    """Every statement that is executed meanwhile, and BEGIN for each transaction of several; pings left out."""
    found: list[str] = []
    execute, begin = psycopg.AsyncCursor.execute, psycopg.AsyncConnection._get_tx_start_command

    async def note(self: Any, query: Any, *values: Any, **options: Any) -> Any:
        if query != PING:
            found.append(str(query))
        return await execute(self, query, *values, **options)

    def note_begin(self: Any) -> bytes:
        found.append("BEGIN")
        return begin(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(psycopg.AsyncCursor, "execute", note)
        patch.setattr(psycopg.AsyncConnection, "_get_tx_start_command", note_begin)
        yield found
