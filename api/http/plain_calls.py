"""Plain calls: a request of a busy route that has only a path and a body calls the route's function without Litestar.

Litestar finds out anew at each request what the function takes and how its result is sent, which takes longer than most
of these functions. The route is declared as every other one, and a request that has more goes through Litestar.
"""

from collections.abc import Awaitable
from typing import Any, cast

import msgspec
from litestar import Response
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from api.http.request_ids import find_header
from api.http.strict_json import StrictRequest


def called_plainly(*unless: str) -> dict[str, Any]:
    """Return `opt` of a route whose function takes the request, its path's parameters and perhaps `data`.

    What else it takes comes from the query, or from the headers `unless`, and has a default. It answers with JSON, and
    its route has no guard and no hook. `Accept: audio/` is the header only where its value begins so.
    """
    pairs = (header.partition(": ") for header in unless)
    return {"plain_call": tuple((name.lower().encode(), value) for name, _, value in pairs)}


def call_plainly(app: ASGIApp) -> ASGIApp:
    """Return the middleware, the innermost one, that makes the plain calls."""

    def middleware(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        unless = scope["route_handler"].opt.get("plain_call")
        if unless is None or scope["query_string"] or _has_any(scope, unless):
            return app(scope, receive, send)
        return _call(app, cast(HTTPScope, scope), receive, send)

    return cast(ASGIApp, middleware)


def _has_any(scope: Scope, headers: tuple[tuple[bytes, str], ...]) -> bool:
    found = ((find_header(scope["headers"], name), beginning) for name, beginning in headers)
    return any(value is not None and value.lower().startswith(beginning) for value, beginning in found)


async def _call(app: ASGIApp, scope: HTTPScope, receive: Receive, send: Send) -> None:
    handler = cast(HTTPRouteHandler, scope["route_handler"])
    request = StrictRequest(scope, receive, send)
    if handler.parsed_data_field is None:
        answer = await handler.fn(request=request, **scope["path_params"])
    elif await request.body():
        answer = await handler.fn(request=request, data=await request.json(), **scope["path_params"])
    else:
        await app(scope, receive, send)  # which refuses a body that is missing
        return
    content, status, headers = answer, handler.status_code, []
    if isinstance(answer, Response):
        content, status = answer.content, answer.status_code or status
        headers = [(name.lower().encode(), value.encode()) for name, value in answer.headers.items()]
    body = msgspec.json.encode(content)
    headers += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
