"""What is settled before a route is chosen: the framing and the spelling of a request, HEAD, OPTIONS and CORS."""

from typing import Any, cast
from urllib.parse import urlsplit

from litestar import Litestar, Request
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from api.front.answers import complete_answers
from api.front.cross_origin import share
from api.front.methods import answer_head, answer_options, methods_of
from api.http.problems import problem
from core.errors.base import AtelierError
from core.errors.http import MalformedRequest, UnknownRoute

SPELLING = "A path has one spelling here; write it with single slashes, without `.` and `..`, and with no slash as %2F."


def put_in_front(app: Litestar, origins: frozenset[str]) -> None:
    """Put the front before the routes of `app`; Litestar's own CORS would be in the same place."""
    app.asgi_handler = complete_answers(share(_front(app, app.asgi_handler), origins))


def _front(app: Litestar, routes: ASGIApp) -> ASGIApp:
    async def front(any_scope: Scope, receive: Receive, send: Send) -> None:
        scope = cast(HTTPScope, any_scope)  # the server is started without websockets
        try:
            check_framing(scope)
            check_spelling(scope)
        except AtelierError as error:
            request: Request[Any, Any, Any] = Request(scope)
            await problem(request, error).to_asgi_response(app=None, request=request)(scope, receive, send)
            return
        method = scope["method"]
        if method in ("HEAD", "OPTIONS"):
            methods = methods_of(app, scope["path"])
            if method == "OPTIONS" and methods:
                await answer_options(methods, send)
                return
            if "GET" in methods and "HEAD" not in methods:
                await answer_head(routes, scope, receive, send)
                return
        await routes(scope, receive, send)

    return front


def check_framing(scope: HTTPScope) -> None:
    """Raise `MalformedRequest` for a request that a proxy before this server may read in another way than it does."""
    names = [name for name, _ in scope["headers"]]
    if names.count(b"host") > 1 or (b"content-length" in names and b"transfer-encoding" in names):
        raise MalformedRequest


def check_spelling(scope: HTTPScope) -> None:
    """Raise `UnknownRoute` for a path in another spelling than its one; one slash at the end is taken for none.

    Otherwise a rule of a proxy about `/metrics` would not hold for `//metrics`, and one Idempotency-Key would be two.
    An absolute URL in the request line, which only proxies are sent, is reduced to its path.
    """
    if not scope["path"].startswith("/"):
        scope["path"] = urlsplit(scope["path"]).path or "/"
        scope["raw_path"] = urlsplit(scope["raw_path"]).path or b"/"
    raw = scope.get("raw_path") or scope["path"].encode()
    segments = scope["path"].split("/")
    if "//" in scope["path"] or not {".", ".."}.isdisjoint(segments) or b"%2f" in raw.lower():
        raise UnknownRoute(SPELLING)
