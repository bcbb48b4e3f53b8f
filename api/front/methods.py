"""HEAD and OPTIONS, the same for every route: HEAD wherever GET is, and OPTIONS answered from the table of routes."""

from collections.abc import Iterable

from litestar import Litestar
from litestar.exceptions import MethodNotAllowedException, NotFoundException
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Send
from litestar.utils import normalize_path

from api.http.problems import allow_header

NO_METHOD = "*"
"""A method that no route has: the router refuses it with the list of those that it has."""


def methods_of(app: Litestar, path: str) -> frozenset[str]:
    """Return the methods that the routes of a path have; none for a path without a route."""
    try:
        app.asgi_router.handle_routing(path=normalize_path(path), method=NO_METHOD)
    except MethodNotAllowedException as refused:
        return frozenset((refused.headers or {})["allow"].split(", "))
    except NotFoundException:
        pass
    return frozenset()


async def answer_options(methods: Iterable[str], send: Send) -> None:
    """Answer OPTIONS, without the guards of a route: they ask for a caller, and a preflight has none."""
    headers = [(b"allow", allow_header(methods).encode())]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def answer_head(app: ASGIApp, scope: HTTPScope, receive: Receive, send: Send) -> None:
    """Answer HEAD as the route answers GET, without the body.

    The scope says GET only until the answer begins, since the server and the metrics read the method from it, too. A
    stream ends itself, as the server reports a complete answer to it as a client that is gone.
    """
    ended = False

    async def send_head(message: Message) -> None:
        nonlocal ended
        if not ended:
            ended = True
            scope["method"] = "HEAD"
            await send(message)
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    scope["method"] = "GET"
    scope["headers"] = [header for header in scope["headers"] if header[0] != b"range"]  # of GET only: RFC 9110, 14.2
    await app(scope, receive, send_head)
