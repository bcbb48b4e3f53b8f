"""Errors of HTTP as JSON-RPC errors, which clients show to their users."""

from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Request, Response

from api.http.problems import error_headers
from core.errors.base import AtelierError

SERVER_ERROR = -32000
"""The code of JSON-RPC for an error of the server's own kind."""


class RpcErrorData(msgspec.Struct, frozen=True):
    """What programs may know of an error: its code and its status."""

    code: str
    status: int


class RpcError(msgspec.Struct, frozen=True):
    """An error of JSON-RPC."""

    code: int
    message: str
    data: RpcErrorData


class RpcRefusal(msgspec.Struct, frozen=True, kw_only=True):
    """The body of an error; it has no id, since the request was not read."""

    jsonrpc: str = "2.0"
    id: None = None
    error: RpcError


def render_error(
    request: Request[Any, Any, Any], error: AtelierError, headers: Mapping[str, str]
) -> Response[RpcRefusal]:
    """Return the answer to a request that is refused before it is read."""
    body = RpcRefusal(error=RpcError(SERVER_ERROR, error.detail, RpcErrorData(error.code, error.status)))
    return Response(body, status_code=error.status, headers={**error_headers(error), **headers})
