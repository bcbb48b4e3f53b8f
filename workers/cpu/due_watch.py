"""The watch over what is due: one statement, and the bells of other processes, wake the tasks that have work."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable

from sqlalchemy.ext.asyncio import AsyncEngine

from core.settings import Settings
from jobs.statements.maintenance.due import TASKS, call_due
from workers.cpu.contact import Contact
from workers.cpu.periodic import wait

IDLE_SECONDS = 2.0
"""How often an idle worker looks, unless its settings say otherwise."""
QUIET_LOOKS = 20
"""After so many looks in a row that found nothing the worker is idle."""
LEAST_SECONDS = 0.05
"""The shortest pause between two looks: what comes due in a row is begun together."""
BELL_SECONDS = 0.05
"""The shortest pause of a task whose bell rings again and again: work that comes in a row is begun together."""


class DueWatch:
    """Looks every two seconds while bells are heard, and when an input or a delivery comes due.

    Without bells it looks as often as the most frequent of the tasks would, and every two seconds once there has been
    nothing for a while. `contact` notes when the database answers; a failure is noted by the recovery, which it wakes.
    """

    def __init__(self, settings: Settings, db: AsyncEngine, contact: Contact) -> None:
        self._single = db.execution_options(isolation_level="AUTOCOMMIT")
        self._contact = contact
        self._statement = call_due(
            upload_seconds=settings.upload_seconds, input_max_attempts=settings.input_max_attempts
        )
        self._due = {task: asyncio.Event() for task in TASKS}
        self._rung = {task: asyncio.Event() for task in TASKS}
        self._quiet = 0
        self._failed = False
        self._next_seconds = math.inf
        """From the last look until an input or a delivery that waits for its time is due."""
        self.seconds = min(settings.webhook_poll_seconds, settings.input_poll_seconds, settings.upkeep_seconds)
        self._idle_seconds = max(self.seconds, min(IDLE_SECONDS, settings.upkeep_seconds))
        self.hears_bells = False
        """Whether the bells of other processes reach this one."""

    async def look(self) -> bool:
        """Wake the tasks that have work; all of them while the database does not say which, and once it does again."""
        try:
            async with self._single.connect() as connection:
                row = (await connection.execute(self._statement)).one()
        except BaseException:
            self._failed, self._next_seconds = True, math.inf
            self._wake(TASKS)
            raise
        self._contact.note_answer()
        found = [task for task in TASKS if self._failed or getattr(row, task)]
        self._quiet = 0 if found else self._quiet + 1
        self._failed = False
        self._next_seconds = math.inf if row.next_seconds is None else float(row.next_seconds)
        self._wake(found)
        return False

    def ring(self, task: str) -> None:
        """Wake a task at once: another process has committed work for it."""
        if task in self._rung:
            self._due[task].set()
            self._rung[task].set()

    async def sleep(self, stop: asyncio.Event, seconds: float) -> None:
        """Pause between two looks, `seconds` or longer; shorter only where nothing was due, but soon something is."""
        is_idle = self.hears_bells or self._quiet >= QUIET_LOOKS
        longest = max(seconds, self._idle_seconds) if is_idle else seconds
        shortest = LEAST_SECONDS if self._quiet else seconds
        await wait(stop, min(longest, max(shortest, self._next_seconds)))

    def pause_of(self, task: str) -> Callable[[asyncio.Event, float], Awaitable[None]]:
        """Return the pause of a task: its own seconds and then until it has work, or until its bell rings."""
        rung, work = self._rung[task], self._due[task]

        async def pause(stop: asyncio.Event, seconds: float) -> None:
            if seconds > 0:
                await wait(stop, min(seconds, BELL_SECONDS))
                await wait(rung, seconds - BELL_SECONDS)
            if seconds > 0 and not stop.is_set():
                await work.wait()
            rung.clear()
            work.clear()

        return pause

    def end(self) -> None:
        """End every pause, since the worker stops."""
        for task in TASKS:
            self.ring(task)

    def _wake(self, tasks: Iterable[str]) -> None:
        for task in tasks:
            self._due[task].set()
