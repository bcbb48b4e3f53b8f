"""A name for every request: the caller's X-Request-Id when it is sane, else a fresh one; echoed in every answer."""

import re
from typing import Any

from litestar.datastructures import Headers, MutableScopeHeaders
from litestar.types import Message, Scope

from core.ids import new_id

HEADER = "X-Request-Id"
_SANE = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")


def request_id(scope: Scope) -> str:
    """The name of the request that `scope` belongs to."""
    state: dict[str, Any] = scope["state"]
    if "request_id" not in state:
        state["request_id"] = choose(Headers.from_scope(scope).get(HEADER))
    return str(state["request_id"])


def choose(offered: str | None) -> str:
    """`offered` if it is fit for logs and headers, else a fresh name."""
    return offered if offered and _SANE.fullmatch(offered) else new_id("req")


async def echo_request_id(message: Message, scope: Scope) -> None:
    """Put the name into the answer's headers, whoever made the answer."""
    if message["type"] == "http.response.start":
        MutableScopeHeaders.from_message(message)[HEADER] = request_id(scope)
