"""Request ids: the caller's X-Request-Id when it is valid, else a new one; echoed in every response."""

import re
from typing import Any

from litestar.datastructures import Headers, MutableScopeHeaders
from litestar.types import Message, Scope

from core.ids import new_id

HEADER = "X-Request-Id"
_VALID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")


def request_id(scope: Scope) -> str:
    """Return the id of the request that `scope` belongs to."""
    state: dict[str, Any] = scope["state"]
    if "request_id" not in state:
        state["request_id"] = choose(Headers.from_scope(scope).get(HEADER))
    return str(state["request_id"])


def choose(offered: str | None) -> str:
    """Return `offered` if it is valid in logs and headers, else a new id."""
    return offered if offered and _VALID.fullmatch(offered) else new_id("req")


async def echo_request_id(message: Message, scope: Scope) -> None:
    """Add the id to the headers of every response, also to those of the framework."""
    if message["type"] == "http.response.start":
        MutableScopeHeaders.from_message(message)[HEADER] = request_id(scope)
