"""A real Celery worker around a supervisor that only writes down its commands.

It runs `workers.gpu.main.serve`, so orders come the way they do in production; `REFUSED` is a model it refuses to load.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from redis import Redis

from core.broker.clients import broker_client
from core.errors.conflicts import CommandRefused
from core.processes import spawn, stop
from core.settings import Settings, read_settings
from jobs.doorbell import celery_app
from jobs.server_commands import node_name
from tests.support.paths import ROOT
from tests.support.wait import until
from workers.gpu.main import serve
from workers.gpu.server.queue_subscription import QueueSubscription

SERVES = ("chaos", "chaos-two")
REFUSED = "chaos-two"
LIST = "command-recorder"


class CommandRecorder:
    """Stands in for the supervisor; each call becomes an entry of a list in Redis."""

    serves = SERVES

    def __init__(self, client: Redis) -> None:
        self._client = client

    def refresh(self) -> None:
        self._note("look")

    def preload(self, model: str, pin: bool) -> None:
        if model == REFUSED:
            raise CommandRefused("Not enough memory: every other model is pinned.")
        self._note("preload", model, pin)

    def unload(self, model: str | None) -> None:
        self._note("unload", model)

    def recycle(self) -> None:
        self._note("recycle")

    def start(self) -> None:
        """Nothing to start."""

    ring = drain = stop = start

    def _note(self, *call: object) -> None:
        self._client.rpush(LIST, msgspec.json.encode(call))


def orders(settings: Settings) -> list[list[Any]]:
    """What was ordered since the broker was last emptied, in the order of arrival."""
    with broker_client(settings) as client:
        return [msgspec.json.decode(entry) for entry in client.lrange(LIST, 0, -1)]  # type: ignore[union-attr]


@contextmanager
def command_recorder(settings: Settings, server_id: str, environment: dict[str, str]) -> Iterator[None]:
    """The worker as a process, under this name, once it hears."""
    process = spawn(
        [sys.executable, "-m", "tests.support.service.command_recorder"],
        env=environment
        | {"ATELIER_BROKER_URL": settings.broker_url, "ATELIER_SERVER_ID": server_id, "PYTHONPATH": str(ROOT)},
        name="command recorder",
        cwd=ROOT,
    )
    control = celery_app(settings).control
    try:
        until(lambda: control.ping(destination=[node_name(server_id)], timeout=0.5), 30, "the worker to hear")
        yield
    finally:
        stop(process, 5)


def main() -> int:
    """Until SIGTERM."""
    settings = read_settings()
    return serve(settings, CommandRecorder(broker_client(settings)), QueueSubscription([]))  # type: ignore[arg-type]


if __name__ == "__main__":
    sys.exit(main())
