"""The ASGI application that answers a message by the protocol's library."""

from typing import Any, cast

from litestar.types import Receive, Scope, Send
from mcp.server import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from sse_starlette.sse import AppStatus

from core.settings import Settings

AppStatus.enable_automatic_graceful_drain = (
    False  # at the end of the process calls are answered (`DrainingServer`), not cut
)


class MessageEndpoint:
    """The ASGI application that answers one message: each says all that is needed, and the database has the rest."""

    def __init__(self, server: Server[Any], settings: Settings) -> None:
        self._server = server
        self._most_bytes = settings.body_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; what the message has started ends with it."""
        manager = StreamableHTTPSessionManager(self._server, stateless=True, max_request_body_size=self._most_bytes)
        async with manager.run():
            await manager.handle_request(cast(Any, scope), cast(Any, receive), cast(Any, send))
