"""Query parameters that a route does not have: refused like unknown fields of a body, with the name that may be meant.

Routes without a key ignore them: links, probes and pages, to which browsers, mail programs and load balancers add some.
"""

from collections.abc import Awaitable
from functools import cache
from typing import Any, cast
from urllib.parse import parse_qsl

from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from api.http.suggestions import nearest
from core.errors.fields import UnknownField

IGNORES_QUERY: dict[str, Any] = {"ignores_query": True}
"""`opt` of a route, or of a dialect's router, that ignores what it does not know: its clients may send anything."""


def check_query(app: ASGIApp) -> ASGIApp:
    """Return the middleware, after authentication, that raises `UnknownField` for a parameter the route does not have.

    A request without a query string, as submits and polls are, costs one look at it.
    """

    def middleware(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["query_string"] and scope.get("user") is not None:
            _check(cast(HTTPScope, scope))
        return app(scope, receive, send)

    return cast(ASGIApp, middleware)


def _check(scope: HTTPScope) -> None:
    handler = cast(HTTPRouteHandler, scope["route_handler"])
    if handler.opt.get("ignores_query"):
        return
    known = _parameters(scope["litestar_app"], handler)
    for name, _ in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True):
        if name not in known:
            raise UnknownField(_advice(name[:80], known), field=f"query.{name[:80]}")


@cache
def _parameters(app: Litestar, handler: HTTPRouteHandler) -> tuple[str, ...]:
    """Return the names of the query parameters of a route."""
    for route in app.routes:
        for known, model in route.route_handler_map.values() if isinstance(route, HTTPRoute) else ():
            if known is handler:
                return tuple(sorted(parameter.field_alias for parameter in model.expected_query_params))
    return ()


def _advice(name: str, known: tuple[str, ...]) -> str:
    close = nearest(name, known)
    if close:
        return f"Unknown query parameter `{name}`; did you mean `{close}`?"
    there = ", ".join(f"`{one}`" for one in known)
    return f"Unknown query parameter `{name}`; remove it: this route has {there or 'none'}."
