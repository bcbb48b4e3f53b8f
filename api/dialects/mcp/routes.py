"""The route `/mcp`: streamable HTTP of both protocol eras, without sessions."""

from typing import Any, cast

from litestar import Router, post
from litestar.types import Receive, Scope, Send
from mcp.server import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from sse_starlette.sse import AppStatus

from api.dialects.mcp.site import SiteCheck
from api.http.auth import ANY_KEY
from api.http.query_parameters import IGNORES_QUERY
from api.http.strict_json import StrictRequest
from core.settings import Settings

PATH = "/mcp"

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


def mcp_router(server: Server[Any], settings: Settings) -> Router:
    """Return the router. GET and DELETE are 405: the server has no stream of its own and keeps no session."""
    endpoint, site = MessageEndpoint(server, settings), SiteCheck(settings)

    @post(PATH, opt=ANY_KEY | IGNORES_QUERY, include_in_schema=False)
    async def answer(request: StrictRequest) -> MessageEndpoint:
        """Have a message answered, unless a foreign page sends it."""
        site.check(request)
        return endpoint

    return Router("/", route_handlers=[answer], request_max_body_size=settings.body_limit)
