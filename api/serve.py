"""Running the application with uvicorn."""

import signal
import socket
import sys
from contextlib import suppress

import uvicorn

from api.app import create_app
from api.follow.event_hub import EventHub
from core.logs import start_logs
from core.sandbox.kernel import hide_memory
from core.settings import settings

GRACE_SECONDS = 10
"""How long open requests may take once the process was asked to stop."""


class DrainingServer(uvicorn.Server):
    """A server that ends event streams and held requests first; uvicorn alone waits for them without an end."""

    def __init__(self, config: uvicorn.Config, event_hub: EventHub) -> None:
        super().__init__(config)
        self._event_hub = event_hub

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the waits, and shut down."""
        self._event_hub.close()
        await super().shutdown(sockets)


def main(host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM."""
    hide_memory()
    sys.setswitchinterval(0.0005)  # the notifier's thread must not wait 5 ms for a busy event loop
    start_logs(settings(), "api")
    app = create_app(settings())
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        log_level=settings().log_level.lower(),
        log_config=None,
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_keep_alive=75,
        backlog=2048,
    )
    # uvicorn raises the signal again once it has shut down; a requested stop is not a failure.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with suppress(KeyboardInterrupt):
        DrainingServer(config, app.state.event_hub).run()
