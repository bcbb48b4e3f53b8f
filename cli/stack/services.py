"""A part of a running stack: something with a process that can be started, watched and stopped."""

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from cli.embedded.server import open_log
from core.processes import Process, spawn


class Service(Protocol):
    """What the supervisor needs of a part; the embedded servers are parts too."""

    name: str
    log: Path
    process: Process | None

    def start(self) -> None:
        """Start it; returns at once or when it answers."""

    def ask_to_stop(self) -> None:
        """Ask the running process to end in its own time."""


class Command:
    """`atelier ARGUMENTS` as a child process that writes to a log file."""

    def __init__(self, name: str, arguments: Sequence[str], env: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        self.process: Process | None = None
        self._argv = [sys.executable, "-m", "cli.main", *arguments]
        self._env = env

    def start(self) -> None:
        """Start it without waiting: a GPU worker takes seconds to be ready."""
        with open_log(self.log) as log:
            self.process = spawn(self._argv, env=self._env, name=self.name, stdout=log, stderr=log)

    def ask_to_stop(self) -> None:
        """SIGTERM: it finishes or hands back what it has begun."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)


def kill(part: Service) -> None:
    """End the process now, with everything it started."""
    if part.process is not None and part.process.poll() is None:
        os.killpg(part.process.pid, signal.SIGKILL)
