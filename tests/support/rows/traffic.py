"""What a pool asks of PostgreSQL, by libpq's own trace of the protocol."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine


class Traffic:
    """The statements of a pool that uses one connection."""

    def __init__(self) -> None:
        self.round_trips = 0
        """How often the pool waited for the server."""


@contextmanager
def traffic(engine: Engine) -> Iterator[Traffic]:
    """Count what the pool's first connection does; known after the end."""
    seen = Traffic()
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        connection.rollback()
    assert driver is not None
    with tempfile.TemporaryFile("w+") as trace:
        driver.pgconn.trace(trace.fileno())
        try:
            yield seen
        finally:
            driver.pgconn.untrace()
        trace.seek(0)
        seen.round_trips = trace.read().count("ReadyForQuery")
