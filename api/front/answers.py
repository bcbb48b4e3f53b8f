"""What every answer is given, whatever made it: its request id, the headers that protect it, and a count of it.

One pass over the head of an answer; the log lines of a request have its id from here on.
"""

import time
from functools import cache
from typing import Any, cast

from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from api.http.request_ids import request_id
from api.limits.request_limits import rate_limit_headers
from core.logs import begin_context
from core.metrics import HTTP_REQUESTS, HTTP_SECONDS, OTHER

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
NO_STORE, NO_SNIFF = (b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")


def complete_answers(app: ASGIApp) -> ASGIApp:
    """Return `app` with the head of each of its answers completed, and counted once."""

    async def completed(scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        begin_context(request_id=request_id(scope))

        async def send_completed(message: Message) -> None:
            if message["type"] == "http.response.start":
                complete_headers(cast(HTTPScope, scope), cast(list[tuple[bytes, bytes]], message["headers"]))
                _count(cast(HTTPScope, scope), message["status"], time.perf_counter() - began)
            await send(message)

        await app(scope, receive, send_completed)

    return completed


def complete_headers(scope: HTTPScope, headers: list[tuple[bytes, bytes]]) -> None:
    """Add the headers of every answer: its id, what is left of the key's rate limit, and what protects it.

    It is what its media type says; and where a key was needed, no cache keeps it unless its route says otherwise. Such
    answers have secrets: of webhooks, and in links of outputs and uploads, which need no key.
    """
    headers.append((b"x-request-id", request_id(scope).encode()))
    headers.extend(rate_limit_headers(scope))
    if scope.get("user") is not None and not any(name == b"cache-control" for name, _ in headers):
        headers.append(NO_STORE)
    headers.append(NO_SNIFF)


def _count(scope: HTTPScope, status: int, seconds: float) -> None:
    """Count an answer as it begins; requests without a route share one label, and their time is not observed."""
    route: str | None = scope.get("path_template")
    method = scope["method"] if scope["method"] in METHODS else OTHER
    _requests(route or OTHER, method, status).inc()
    if route:
        _seconds(route, method).observe(seconds)


@cache
def _requests(route: str, method: str, status: int) -> Any:
    return HTTP_REQUESTS.labels(route, method, status)


@cache
def _seconds(route: str, method: str) -> Any:
    return HTTP_SECONDS.labels(route, method)
