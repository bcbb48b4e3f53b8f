"""The route `/mcp`: streamable HTTP of both protocol eras, without sessions."""

import asyncio
from collections.abc import Callable
from functools import cache

from litestar import Router, post
from litestar.types import ASGIApp

from api.dialects.mcp.site import SiteCheck
from api.http.auth import ANY_KEY
from api.http.query_parameters import IGNORES_QUERY
from api.http.strict_json import StrictRequest
from core.settings import Settings

PATH = "/mcp"


def mcp_router(make_endpoint: Callable[[], ASGIApp], settings: Settings) -> Router:
    """Return the router. GET and DELETE are 405: the server has no stream of its own and keeps no session.

    The endpoint is made by the first message, in a thread, as other requests do not wait for what it imports.
    """
    endpoint, site = cache(make_endpoint), SiteCheck(settings)

    @post(PATH, opt=ANY_KEY | IGNORES_QUERY, include_in_schema=False)
    async def answer(request: StrictRequest) -> ASGIApp:
        """Have a message answered, unless a foreign page sends it."""
        site.check(request)
        return await asyncio.to_thread(endpoint)

    return Router("/", route_handlers=[answer], request_max_body_size=settings.body_limit)
