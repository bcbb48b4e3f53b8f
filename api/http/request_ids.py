"""Request ids: the caller's X-Request-Id when it is valid, else a new one; echoed in every response."""

import re
from collections.abc import Iterable
from typing import Any

from litestar.types import Scope

from core.ids import new_id

HEADER = "X-Request-Id"
_VALID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")


def request_id(scope: Scope) -> str:
    """Return the id of the request that `scope` belongs to."""
    state: dict[str, Any] = scope["state"]
    found: str | None = state.get("request_id")
    if found is None:
        found = state["request_id"] = choose(find_header(scope["headers"], b"x-request-id"))
    return found


def choose(offered: str | None) -> str:
    """Return `offered` if it is valid in logs and headers, else a new id."""
    return offered if offered and _VALID.fullmatch(offered) else new_id("req")


def find_header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str | None:
    """Return the first value of a header, whose `name` is in lower case, of a scope; None without one.

    Litestar's `Headers` copies all of them first.
    """
    for known, value in headers:
        if known == name:
            return value.decode("latin-1")
    return None
