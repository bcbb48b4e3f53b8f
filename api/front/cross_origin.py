"""Cross-origin requests (WHATWG Fetch, CORS): which sites' pages may call the API.

Litestar's own middleware replaces `Vary`, adds it only where the request has an Origin, so that a cache serves a copy
without the permission to a page that needs it, and answers a refused preflight with 400 and a text.
"""

from typing import cast
from urllib.parse import urlsplit

from litestar.datastructures import Headers, MutableScopeHeaders
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

ANY = "*"
REQUEST_HEADERS = (
    *("Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "If-Range", "Last-Event-ID", "Range"),
    *("traceparent", "tracestate", "X-API-Key", "X-Request-Id"),
)
"""Headers that a page may send: those that a route reads."""
ANSWER_HEADERS = (
    *("Accept-Ranges", "Content-Disposition", "Content-Range", "ETag", "Idempotency-Replayed", "Location"),
    *("Retry-After", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "X-Request-Id"),
)
"""Headers that a page may read beside those that every page may."""
PREFLIGHT_SECONDS = 600


def allowed_origins(text: str) -> frozenset[str]:
    """Return the origins of `ATELIER_CORS_ORIGINS`. Raises `ValueError` for text that no browser sends as an Origin."""
    origins = frozenset(origin.strip().lower() for origin in text.split(",") if origin.strip())
    for origin in origins - {ANY}:
        parts = urlsplit(origin)
        if parts.scheme not in ("http", "https") or origin != f"{parts.scheme}://{parts.netloc}" or not parts.hostname:
            raise ValueError(f"ATELIER_CORS_ORIGINS: {origin!r} is not an origin; write it as https://studio.example.")
    return origins


def share(app: ASGIApp, origins: frozenset[str]) -> ASGIApp:
    """Return `app` with the headers that let pages of `origins` call it and read its answers, errors among them.

    Credentials of the browser (cookies, certificates) are never allowed: a page sends its key in a header.
    """

    async def shared(scope: Scope, receive: Receive, send: Send) -> None:
        origin = Headers.from_scope(scope).get("Origin", "").lower()
        allowed = ANY if ANY in origins else origin if origin in origins else ""

        async def send_shared(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableScopeHeaders.from_message(message)
                if ANY not in origins:
                    headers.add("Vary", "Origin")
                if allowed:
                    headers["Access-Control-Allow-Origin"] = allowed
                    headers["Access-Control-Expose-Headers"] = ", ".join(ANSWER_HEADERS)
                    if cast(HTTPScope, scope)["method"] == "OPTIONS":
                        headers["Access-Control-Allow-Methods"] = headers.get("Allow", "")
                        headers["Access-Control-Allow-Headers"] = ", ".join(REQUEST_HEADERS)
                        headers["Access-Control-Max-Age"] = str(PREFLIGHT_SECONDS)
            await send(message)

        await app(scope, receive, send_shared)

    return shared if origins else app
