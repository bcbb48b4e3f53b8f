"""When keys and sessions were last used, written without a write for each request."""

import asyncio
import logging
from collections.abc import Callable, Collection

from sqlalchemy import Executable

from api.http.database import Database
from core.database import is_unreachable
from core.errors.unavailable import DatabaseUnavailable

log = logging.getLogger(__name__)


class LastUse:
    """What was used since the last write: one statement for all of it, once in so many seconds."""

    def __init__(self, database: Database, write: Callable[[Collection[str]], Executable], seconds: float) -> None:
        self._database = database
        self._statement = write
        self._seconds = seconds
        self._used = set[str]()
        self._task: asyncio.Task[None] | None = None

    def note(self, *used: str) -> None:
        """Note what was used now."""
        self._used.update(used)

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._write_often())

    async def stop(self) -> None:
        """Write what is noted, and no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._write()

    async def _write_often(self) -> None:
        while True:
            await asyncio.sleep(self._seconds)
            await self._write()

    async def _write(self) -> None:
        if not self._used:
            return
        used, self._used = self._used, set()
        try:
            await self._database.row(self._statement(sorted(used)))
        except Exception as error:
            self._used |= used
            if not isinstance(error, DatabaseUnavailable) and not is_unreachable(error):
                log.exception("last use: not written count=%d", len(used))
