"""Keeps the parts of a stack running, and stops them in order."""

import threading
import time
from collections.abc import Callable, Sequence

from cli.embedded.server import ServerFailed, tail
from cli.stack.services import Service, kill

WATCH_SECONDS = 0.2
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
STEADY_SECONDS = 60.0
"""A part that ran so long is restarted as if it had never failed."""

Say = Callable[[str], None]


class ProcessSupervisor:
    """Restarts what ends by itself, each part with its own growing pause; `say` is told why."""

    def __init__(self, parts: Sequence[Service], say: Say) -> None:
        self._parts = parts
        self._say = say
        self._pause = {part.name: FIRST_PAUSE for part in parts}
        self._started = {part.name: time.monotonic() for part in parts}
        self._due: dict[str, float] = {}
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)

    def start(self) -> None:
        """Watch from now on, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching; the parts go on."""
        self._ending.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ending.wait(WATCH_SECONDS):
            for part in self._parts:
                self._look_after(part)

    def _look_after(self, part: Service) -> None:
        due = self._due.get(part.name)
        if due is not None:
            if time.monotonic() >= due:
                self._restart(part)
        elif part.process is not None and (status := part.process.poll()) is not None:
            self._plan(part, f"{part.name} ended with status {status}")

    def _plan(self, part: Service, reason: str) -> None:
        now = time.monotonic()
        if now - self._started[part.name] > STEADY_SECONDS:
            self._pause[part.name] = FIRST_PAUSE
        pause = self._pause[part.name]
        self._pause[part.name] = min(2 * pause, LONGEST_PAUSE)
        self._due[part.name] = now + pause
        words = f". The end of {part.log}:{tail(part.log, 5)}" if pause == FIRST_PAUSE else ""
        self._say(f"{reason}; starting it again in {pause:g} s{words}")

    def _restart(self, part: Service) -> None:
        del self._due[part.name]
        self._started[part.name] = time.monotonic()
        try:
            part.start()
        except (ServerFailed, OSError) as error:
            self._plan(part, f"{part.name} did not start: {error}")


def stop_all(parts: Sequence[Service], grace_seconds: float, hurry: threading.Event) -> list[str]:
    """Ask all to end, wait at most `grace_seconds` or until `hurry`, then kill; names of those killed."""
    running = [part for part in parts if part.process is not None and part.process.poll() is None]
    for part in running:
        part.ask_to_stop()
    deadline = time.monotonic() + grace_seconds
    while any(_runs(part) for part in running) and time.monotonic() < deadline and not hurry.is_set():
        hurry.wait(0.05)
    killed = [part.name for part in running if _runs(part)]
    for part in running:
        kill(part)
        if part.process is not None:
            part.process.wait()
    return killed


def _runs(part: Service) -> bool:
    return part.process is not None and part.process.poll() is None
