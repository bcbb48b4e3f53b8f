"""The supervisor of a stack's services: restarts and ordered stops."""

import threading
import time
from collections.abc import Callable, Sequence

from cli.embedded.server import tail
from cli.local.start_wait import StartInterrupted
from cli.stack.services import Service, kill

WATCH_SECONDS = 0.2
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
STEADY_SECONDS = 60.0
"""A service that ran this long is restarted after the first pause again."""

PrintStatus = Callable[[str], None]
"""Prints a line. It neither raises nor waits for a reader: the thread that calls it has work to go on with."""


class ProcessSupervisor:
    """Restarts services that end, each after its own growing pause; `print_status` gets the reasons."""

    def __init__(self, services: Sequence[Service], print_status: PrintStatus) -> None:
        self._services = services
        self._print_status = print_status
        self._pause = {service.name: FIRST_PAUSE for service in services}
        self._started_at = {service.name: time.monotonic() for service in services}
        self._restart_at: dict[str, float] = {}
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)

    def start(self) -> None:
        """Supervise from now on, in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop supervising; the services keep running."""
        self._ending.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ending.wait(WATCH_SECONDS):
            for service in self._services:
                self._check(service)

    def _check(self, service: Service) -> None:
        restart_at = self._restart_at.get(service.name)
        if restart_at is not None:
            if time.monotonic() >= restart_at:
                self._restart(service)
        elif service.process is not None and (status := service.process.poll()) is not None:
            self._plan_restart(service, f"{service.name} ended with status {status}")

    def _plan_restart(self, service: Service, reason: str) -> None:
        now = time.monotonic()
        if now - self._started_at[service.name] > STEADY_SECONDS:
            self._pause[service.name] = FIRST_PAUSE
        pause = self._pause[service.name]
        self._pause[service.name] = min(2 * pause, LONGEST_PAUSE)
        self._restart_at[service.name] = now + pause
        log = f". The end of {service.log}:{tail(service.log, 5)}" if pause == FIRST_PAUSE else ""
        self._print_status(f"{reason}; restarting it in {pause:g} s{log}")

    def _restart(self, service: Service) -> None:
        del self._restart_at[service.name]
        self._started_at[service.name] = time.monotonic()
        try:
            service.start()
        except StartInterrupted:
            return
        except Exception as error:  # whatever it is, the next start may succeed, and the other services go on
            self._plan_restart(service, f"{service.name} did not start: {error}")


def stop_all(services: Sequence[Service], grace_seconds: float, hurry: threading.Event) -> list[str]:
    """Ask services to end, wait at most `grace_seconds` or until `hurry`, then kill; return the names of the killed."""
    running = [service for service in services if _is_running(service)]
    for service in running:
        service.ask_to_stop()
    deadline = time.monotonic() + grace_seconds
    while any(map(_is_running, running)) and time.monotonic() < deadline and not hurry.is_set():
        hurry.wait(0.05)
    killed = [service.name for service in running if _is_running(service)]
    for service in running:
        kill(service)
        if service.process is not None:
            service.process.wait()
    return killed


def _is_running(service: Service) -> bool:
    return service.process is not None and service.process.poll() is None
