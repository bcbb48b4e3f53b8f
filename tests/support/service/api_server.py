"""The API as it runs in production, in a thread of the test's own process: uvicorn, uvloop, real sockets."""

import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import httpx
import msgspec
import uvloop

from api.app import create_app
from api.follow.event_hub import EventHub
from api.serve import make_server
from core.ids import new_id
from core.settings import Settings
from core.signing import key_digest, new_key
from jobs.statements import api_keys
from tests.support.rows.rows import Rows
from tests.support.wait import until

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For clients of http://: reading the authorities, as they would by themselves, takes 40 ms each time."""


class ApiServer:
    """A running API; `settings` have its own address as `public_url`, below `prefix` as behind a proxy."""

    def __init__(self, settings: Settings, prefix: str = "", port: int = 0) -> None:
        self._socket = socket.create_server(("127.0.0.1", port), backlog=512)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.settings = msgspec.structs.replace(settings, public_url=self.url + prefix)
        app = create_app(self.settings)
        self.event_hub: EventHub = app.state.event_hub
        self._server = make_server(app, self.settings)
        # A loop of asyncio's own would go by `time.monotonic`, which some tests of other files replace while it waits
        self._thread = threading.Thread(target=lambda: uvloop.run(self._serve()))

    async def _serve(self) -> None:
        await self._server.serve(sockets=[self._socket])

    def start(self) -> None:
        self._thread.start()
        until(lambda: self._server.started, what="the API to start")

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()

    @property
    def connections(self) -> int:
        """Connections that are open."""
        return len(self._server.server_state.connections)

    @property
    def busy_connections(self) -> int:
        """Those with a request in progress."""
        return len(self._server.server_state.tasks)

    def client(self, key: str = "", **more: object) -> httpx.Client:
        """A client that sends `key`; it follows no redirects."""
        headers = {"X-API-Key": key} if key else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30.0, verify=NO_TLS, **more)  # type: ignore[arg-type]


@contextmanager
def api_server(settings: Settings, prefix: str = "", port: int = 0) -> Iterator[ApiServer]:
    """The API for as long as the context lasts; `port` is that of one before it, which has ended."""
    server = ApiServer(settings, prefix, port)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def make_key(
    rows: Rows, settings: Settings, tenant: str, *, priority_ceiling: int = 9, scopes: Sequence[str] = ()
) -> str:
    """A key of a tenant, as `atelier keys create` makes it."""
    key = new_key()
    digest = key_digest(settings.secret_key, key)
    rows.execute(
        api_keys.add_key(
            new_id("key"), tenant, name="test", digest=digest, priority_ceiling=priority_ceiling, scopes=scopes
        )
    )
    return key
