"""When keys were last used, written without a write for each request."""

import asyncio
import logging

from api.http.database import Database
from core.database import is_unreachable
from core.errors.unavailable import DatabaseUnavailable
from jobs.statements.api_keys import USE_SECONDS, note_use

log = logging.getLogger(__name__)


class KeyUse:
    """The keys that were used since the last write: one statement for all of them, once in `USE_SECONDS`."""

    def __init__(self, database: Database, seconds: float = USE_SECONDS) -> None:
        self._database = database
        self._seconds = seconds
        self._used = set[str]()
        self._task: asyncio.Task[None] | None = None

    def note(self, key_id: str) -> None:
        """Note that a key was used now."""
        self._used.add(key_id)

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
            await self._database.row(note_use(sorted(used)))
        except Exception as error:
            self._used |= used
            if not isinstance(error, DatabaseUnavailable) and not is_unreachable(error):
                log.exception("key use: not written keys=%d", len(used))
