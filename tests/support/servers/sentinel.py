"""A Sentinel of Valkey on loopback that watches one server."""

import signal
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from redis import Redis
from redis.exceptions import RedisError

from cli.embedded.server import environment
from cli.embedded.valkey import _binary
from core.processes import spawn, stop
from tests.support.ports import free_port
from tests.support.wait import until

MASTER = "atelier-main"
PASSWORD = "password-of-the-Sentinel"


class Sentinel:
    """A context manager; alone, it decides on a failover by itself after half a second."""

    def __init__(self, folder: Path, master_url: str) -> None:
        self.port = free_port()
        master = urlsplit(master_url)
        self._password = master.password or ""
        self._file = folder / "sentinel.conf"
        self._file.write_text(
            f"""
            bind 127.0.0.1
            port {self.port}
            dir "{folder}"
            requirepass "{PASSWORD}"
            sentinel monitor {MASTER} 127.0.0.1 {master.port} 1
            sentinel auth-pass {MASTER} {self._password}
            sentinel down-after-milliseconds {MASTER} 500
            sentinel failover-timeout {MASTER} 2000
            """
        )

    @property
    def url(self) -> str:
        """The broker URL of the server that the Sentinel watches."""
        return f"sentinel://:{self._password}@127.0.0.1:{self.port}/{MASTER}/0?sentinel_password={PASSWORD}"

    @property
    def master(self) -> int:
        """The port of the server that is the master now."""
        with Redis(port=self.port, password=PASSWORD) as client:
            return int(client.sentinel_get_master_addr_by_name(MASTER)[1])

    @property
    def replicas(self) -> int:
        """How many replicas of the master it knows."""
        with Redis(port=self.port, password=PASSWORD) as client:
            return int(client.sentinel_masters()[MASTER]["num-slaves"])

    def __enter__(self) -> "Sentinel":
        log = self._file.with_suffix(".log").open("ab")
        with log:
            self._process = spawn(
                [str(_binary()), str(self._file), "--sentinel"],
                env=environment(),
                name="Sentinel",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                death_signal=signal.SIGKILL,
            )
        until(self._answers, what="the Sentinel")
        return self

    def __exit__(self, *_: object) -> None:
        stop(self._process, 5.0)

    def _answers(self) -> bool:
        try:
            return self.master > 0
        except RedisError:
            return False
