"""Metrics of every request: its status and its duration; and its id for the log."""

import time

from litestar.types import ASGIApp, Message, Receive, Scope, Send

from api.http.request_ids import request_id
from core.logs import log_context
from core.metrics import HTTP_REQUESTS, HTTP_SECONDS, OTHER

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_STARTED_AT = "started_at"


def observe_requests(app: ASGIApp) -> ASGIApp:
    """Return the middleware that times requests, the outermost of every route."""

    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"][_STARTED_AT] = time.perf_counter()
        with log_context(request_id=request_id(scope)):
            await app(scope, receive, send)

    return middleware


async def count_response(message: Message, scope: Scope) -> None:
    """Count a response as it begins; requests without a route share one label."""
    if message["type"] != "http.response.start":
        return
    route = scope.get("path_template") or OTHER
    method = str(scope.get("method"))
    method = method if method in METHODS else OTHER
    HTTP_REQUESTS.labels(route, method, message["status"]).inc()
    started_at = scope["state"].get(_STARTED_AT)
    if started_at is not None:
        HTTP_SECONDS.labels(route, method).observe(time.perf_counter() - started_at)
