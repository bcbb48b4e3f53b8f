"""Running the application with uvicorn, in bounds (`api.server`)."""

import asyncio
import gc
import resource
import signal
import socket
import sys
from contextlib import suppress
from functools import partial
from typing import Any

import uvicorn
from litestar import Litestar

from api.app import create_app
from api.follow.event_hub import EventHub
from api.server.connections import OpenConnections
from api.server.protocol import BoundedProtocol
from core.logs import start_logs
from core.net.listening import EVERYWHERE, listen_everywhere
from core.sandbox.kernel import hide_memory
from core.settings import Settings, settings
from core.startup.settings_check import check_settings, settings_refused

GRACE_SECONDS = 10
"""How long open requests may take once the process was asked to stop."""
BACKLOG = 2048
"""Connections that wait for the event loop to accept them."""
SWEEP_TICKS = 10
"""Ticks of uvicorn, of 0.1 s each, between two looks for overdue connections."""
MOST_FILES = 65_536
"""Open files that a process asks for; the usual soft limit of 1,024 is less than the connections of a busy hour."""
OTHER_FILES = 200
"""Open files of a process that are not connections of clients: the database, the broker, temporary files."""

LEAST_CONNECTIONS = 16


class DrainingServer(uvicorn.Server):
    """A server that closes overdue connections, and at its end first ends event streams and held requests.

    uvicorn alone waits for both without an end.
    """

    def __init__(self, config: uvicorn.Config, event_hub: EventHub) -> None:
        super().__init__(config)
        self._event_hub = event_hub

    async def on_tick(self, counter: int) -> bool:
        """Close the connections that are overdue, once a second."""
        if counter % SWEEP_TICKS == 0:
            now = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, BoundedProtocol):
                    connection.close_if_overdue(now)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the waits, and shut down."""
        self._event_hub.close()
        await super().shutdown(sockets)


def make_server(app: Litestar, app_settings: Settings, **address: Any) -> DrainingServer:
    """Return the server of `app`; `address` is uvicorn's `host` and `port`, where it is not given sockets."""
    most = min(app_settings.connections, max(raise_file_limit() - OTHER_FILES, LEAST_CONNECTIONS))
    open_connections = OpenConnections(most, app_settings.connections_per_address)
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=partial(BoundedProtocol, settings=app_settings, open_connections=open_connections),  # type: ignore[arg-type]
        ws="none",
        lifespan="on",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        log_level=app_settings.log_level.lower(),
        log_config=None,
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_keep_alive=75,
        backlog=BACKLOG,
        **address,
    )
    return DrainingServer(config, app.state.event_hub)


def raise_file_limit() -> int:
    """Raise the soft limit of open files as far as the hard one allows; return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(MOST_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return MOST_FILES if soft == resource.RLIM_INFINITY else soft


def main(host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM; an address that cannot be listened on ends the process with a reason."""
    hide_memory()
    sockets = _sockets(host, port)
    sys.setswitchinterval(0.0005)  # the event loop must not wait 5 ms for a thread that decodes a body
    with settings_refused("api"):
        check_settings(settings())
        start_logs(settings(), "api")
        app = create_app(settings())
    app.openapi_schema.to_schema()  # before the first request, which would wait for it, and all others with it
    gc.freeze()  # routes and schemas stay: a full collection walks through half a million objects less
    # uvicorn raises the signal again once it has shut down; a requested stop is not a failure.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with suppress(KeyboardInterrupt):
        make_server(app, settings(), host=host, port=port).run(sockets)


def _sockets(host: str, port: int) -> list[socket.socket] | None:
    """Return the socket that listens everywhere; None for another host, which uvicorn listens on."""
    try:
        return [listen_everywhere(port, BACKLOG)] if host == EVERYWHERE else None
    except OSError as error:
        sys.exit(f"api: cannot listen on {host} port {port}: {error.strerror}")
