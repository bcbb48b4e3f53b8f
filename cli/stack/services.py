"""The services of a stack: processes that are started, supervised and stopped."""

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from cli.embedded.server import open_log
from core.processes import Process, spawn


class Service(Protocol):
    """A service as the supervisor needs it; the embedded servers are services too."""

    name: str
    log: Path
    process: Process | None

    def start(self) -> None:
        """Start the process; return at once or when it answers."""

    def ask_to_stop(self) -> None:
        """Ask the running process to end, and return at once."""


class Command:
    """A service that runs `atelier ARGUMENTS` as a child process and writes to a log file."""

    def __init__(self, name: str, arguments: Sequence[str], env: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        self.process: Process | None = None
        self._argv = [sys.executable, "-m", "cli.main", *arguments]
        self._env = env

    def start(self) -> None:
        """Start the process without waiting: a GPU worker needs seconds to be ready."""
        with open_log(self.log) as log:
            self.process = spawn(self._argv, env=self._env, name=self.name, stdout=log, stderr=log)

    def ask_to_stop(self) -> None:
        """Send SIGTERM: a worker finishes its job or releases its claim."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)


def kill(service: Service) -> None:
    """Kill the process and the processes that it started."""
    if service.process is not None and service.process.poll() is None:
        os.killpg(service.process.pid, signal.SIGKILL)
