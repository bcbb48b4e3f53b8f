"""The watch over what is due: one statement wakes the tasks that have work, so that an idle worker asks little."""

import asyncio
from collections.abc import Awaitable, Callable

from sqlalchemy.ext.asyncio import AsyncEngine

from core.settings import Settings
from jobs.statements.maintenance.due import TASKS, due
from workers.cpu.periodic import wait

IDLE_SECONDS = 2.0
"""How often an idle worker looks, unless its settings say more seldom."""
QUIET_LOOKS = 20
"""After so many looks in a row that found nothing the worker is idle."""


class DueWatch:
    """Looks as often as the most frequent of the tasks would, and every 2 s once there has been nothing for a while."""

    def __init__(self, settings: Settings, db: AsyncEngine) -> None:
        self._db = db
        self._statement = due(upload_seconds=settings.upload_seconds)
        self._due = {task: asyncio.Event() for task in TASKS}
        self._quiet = 0
        self.seconds = min(settings.webhook_poll_seconds, settings.input_poll_seconds, settings.upkeep_seconds)

    async def look(self) -> bool:
        """Wake the tasks that have work, and all of them when the database does not say which."""
        try:
            async with self._db.begin() as connection:
                row = (await connection.execute(self._statement)).one()
        except BaseException:
            self.wake_all()
            raise
        found = [task for task in TASKS if getattr(row, task)]
        self._quiet = 0 if found else self._quiet + 1
        for task in found:
            self._due[task].set()
        return False

    async def sleep(self, stop: asyncio.Event, seconds: float) -> None:
        """Pause between two looks."""
        await wait(stop, seconds if self._quiet < QUIET_LOOKS else max(seconds, IDLE_SECONDS))

    def pause_of(self, task: str) -> Callable[[asyncio.Event, float], Awaitable[None]]:
        """Return the pause of a task: at least its own seconds, then until it has work."""

        async def pause(stop: asyncio.Event, seconds: float) -> None:
            await wait(stop, seconds)
            if seconds > 0 and not stop.is_set():
                await self._due[task].wait()
            self._due[task].clear()

        return pause

    def wake_all(self) -> None:
        """Wake every task: at the end, or while it is not known which has work."""
        for event in self._due.values():
            event.set()
