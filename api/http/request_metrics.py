"""What is noted of every request: how it was answered and how soon, and its name for the log."""

import time

from litestar.types import ASGIApp, Message, Receive, Scope, Send

from api.http.request_ids import request_id
from core.logs import log_context
from core.metrics import HTTP_REQUESTS, HTTP_SECONDS, OTHER

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BEGAN = "began"


def observe_requests(app: ASGIApp) -> ASGIApp:
    """Middleware, the outermost of every route."""

    async def observed(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"][_BEGAN] = time.perf_counter()
        with log_context(request_id=request_id(scope)):
            await app(scope, receive, send)

    return observed


async def count_response(message: Message, scope: Scope) -> None:
    """Count an answer as it begins, whoever made it; what no route was found for is all one."""
    if message["type"] != "http.response.start":
        return
    route = scope.get("path_template") or OTHER
    method = str(scope.get("method"))
    method = method if method in METHODS else OTHER
    HTTP_REQUESTS.labels(route, method, message["status"]).inc()
    began = scope["state"].get(_BEGAN)
    if began is not None:
        HTTP_SECONDS.labels(route, method).observe(time.perf_counter() - began)
