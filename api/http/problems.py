"""Errors as RFC 9457 problems: whatever goes wrong, the answer has this one shape.

`type` is `/problems/<code>`, a page of this service that says what the code means.
"""

import logging
from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.enums import ParamType
from litestar.exceptions import HTTPException, ValidationException

from api.http.msgspec_errors import refusal
from api.http.request_ids import request_id
from core.database import is_unreachable
from core.errors import (
    AtelierError,
    BodyTooLarge,
    DatabaseUnavailable,
    InvalidJson,
    InvalidRequest,
    MissingField,
    RequestRefused,
    StorageUnavailable,
    TooManyJobs,
    Unauthenticated,
    UnknownRoute,
    WrongMethod,
)
from jobs.wire.problems import ProblemDetails

log = logging.getLogger(__name__)

LEFT = "client disconnected prematurely"
"""What the framework says when a body ends before its time; nobody is left to read the answer."""

MEDIA_TYPE = "application/problem+json"
BY_STATUS: Mapping[int, type[AtelierError]] = {
    401: Unauthenticated,
    404: UnknownRoute,
    405: WrongMethod,
}
HEADERS: Mapping[type[AtelierError], dict[str, str]] = {
    Unauthenticated: {"WWW-Authenticate": "Bearer"},
    TooManyJobs: {"Retry-After": "5"},
    DatabaseUnavailable: {"Retry-After": "2"},
    StorageUnavailable: {"Retry-After": "5"},
}


def title(code: str) -> str:
    """A code in words."""
    return code.replace("_", " ").capitalize()


def problem(
    request: Request[Any, Any, Any], error: AtelierError, headers: dict[str, str] | None = None
) -> Response[ProblemDetails]:
    """The problem that an error of the tree is answered with."""
    body = ProblemDetails(
        type=f"/problems/{error.code}",
        title=title(error.code),
        status=error.status,
        detail=error.detail,
        code=error.code,
        request_id=request_id(request.scope),
        field=error.field,
    )
    extra = HEADERS.get(type(error), {}) | (headers or {})
    return Response(body, status_code=error.status, media_type=MEDIA_TYPE, headers=extra)


def on_refusal(request: Request[Any, Any, Any], error: AtelierError) -> Response[ProblemDetails]:
    """An error that this service raised itself; where the store is and how it fails is for the log only."""
    if isinstance(error, StorageUnavailable):
        log.warning("request %s: %s", request_id(request.scope), error.detail)
        error = StorageUnavailable()
    return problem(request, error)


def on_http_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[ProblemDetails]:
    """An error that the framework raised: no such route, wrong method, a body too large, a bad parameter."""
    if error.detail == LEFT:
        log.info("request %s was not sent to its end", request_id(request.scope))
        return problem(request, RequestRefused(LEFT))
    if error.status_code >= 500:
        return on_unexpected(request, error)
    if isinstance(error, ValidationException):
        return problem(request, _bad_parameter(error))
    if error.status_code == BodyTooLarge.status:
        return problem(request, _too_large(request))
    known = BY_STATUS.get(error.status_code)
    allow = {name: value for name, value in (error.headers or {}).items() if name.lower() == "allow"}
    return problem(request, known() if known else RequestRefused(error.detail), allow)


def on_unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[ProblemDetails]:
    """Everything else: the database that went away, or a fault of ours, which is logged and not shown."""
    if is_unreachable(error):
        return problem(request, DatabaseUnavailable())
    log.error("request %s failed", request_id(request.scope), exc_info=error)
    return problem(request, AtelierError())


def _too_large(request: Request[Any, Any, Any]) -> BodyTooLarge:
    """Routes that take media allow more, and say so."""
    limit = request.route_handler.resolve_request_max_body_size()
    return BodyTooLarge(f"Send at most {limit} bytes of JSON; larger media can be uploaded with POST /inputs/v1.")


def _bad_parameter(error: ValidationException) -> InvalidRequest:
    """The first parameter at fault; a `data` that is missing is a body that is empty."""
    faults = error.extra if isinstance(error.extra, list) else []
    first: Mapping[str, str] = faults[0] if faults else {}
    key = first.get("key", "")
    if key == "data":
        return InvalidJson(f"The body is empty. {InvalidJson.advice}")
    if not key:
        return MissingField(error.detail) if "Missing required" in error.detail else InvalidRequest(error.detail)
    said = msgspec.ValidationError(first.get("message", "") + " - at `$`")
    key = key.removesuffix("_")  # of a name that Litestar keeps for itself
    source = ParamType(first.get("source", "query")).value
    return refusal(said, root=f"{source}.{key.replace('_', '-').title() if source == 'header' else key}")


EXCEPTION_HANDLERS: dict[int | type[Exception], Any] = {
    AtelierError: on_refusal,
    HTTPException: on_http_error,
    Exception: on_unexpected,
}
