"""Errors as responses: RFC 9457 problems on the native routes, or the shape of a dialect below its own paths.

The `type` of a problem is `/problems/<code>`, a page of this service about the code, behind the path of the public URL.
"""

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.enums import ParamType
from litestar.exceptions import HTTPException, ValidationException

from api.http.msgspec_errors import refusal
from api.http.request_ids import request_id
from api.http.suggestions import suggested_path
from core.database import is_unreachable
from core.errors.access import Unauthenticated
from core.errors.base import AtelierError, RequestRefused
from core.errors.fields import InvalidJson, InvalidRequest, MissingField
from core.errors.http import BodyTooLarge, UnknownRoute, WrongMethod
from core.errors.limits import RateLimited, TooManyBodies, TooManyJobs, TooManyStreams, TooManyUploads
from core.errors.unavailable import DatabaseUnavailable, Overloaded, StorageUnavailable, TooManyConnections
from jobs.params.media import picture_field
from jobs.wire.problems import ProblemDetails

log = logging.getLogger(__name__)

DISCONNECTED = "client disconnected prematurely"
"""The framework's text for a body that ends early; no client is left to read the response."""

PICTURE_NAME = "picture_name"
"""Where the state of a request has the name that its body has for a picture (`PICTURE_NAMES`)."""

Renderer = Callable[[Request[Any, Any, Any], AtelierError, Mapping[str, str]], Response[Any]]
"""Makes the response of an error in one wire format."""

_NAMED, _FIELD = re.compile(r"(`)([a-z_]+)((?:\[\d+\])?)(?=`)"), re.compile(r"^(\$\.)([a-z_]+)((?:\[\d+\])?)")
"""A field in a sentence, and in a path: what stands before it, its name and its index."""
MEDIA_TYPE = "application/problem+json"
BY_STATUS: Mapping[int, type[AtelierError]] = {
    401: Unauthenticated,
    405: WrongMethod,
}
HEADERS: Mapping[type[AtelierError], dict[str, str]] = {
    Unauthenticated: {"WWW-Authenticate": "Bearer"},
    TooManyJobs: {"Retry-After": "5"},
    TooManyStreams: {"Retry-After": "5"},
    TooManyUploads: {"Retry-After": "60"},
    DatabaseUnavailable: {"Retry-After": "2"},
    StorageUnavailable: {"Retry-After": "5"},
    TooManyBodies: {"Retry-After": "5"},
    Overloaded: {"Retry-After": "5"},
    TooManyConnections: {"Retry-After": "5"},
}


def title(code: str) -> str:
    """Return a code in words."""
    return code.replace("_", " ").capitalize()


def problem(
    request: Request[Any, Any, Any], error: AtelierError, headers: Mapping[str, str] | None = None
) -> Response[ProblemDetails]:
    """Return the problem of an error: how every router renders errors that has no renderer of its own."""
    type_ = f"{request.app.state.path_prefix}/problems/{error.code}"
    body = problem_details(error, request_id(request.scope), type_)
    all_headers = {**error_headers(error), **(headers or {})}
    return Response(body, status_code=error.status, media_type=MEDIA_TYPE, headers=all_headers)


def problem_details(error: AtelierError, request_id: str, type_: str) -> ProblemDetails:
    """Return the body of a problem; `type_` is the path of the page about its code."""
    return ProblemDetails(
        type=type_,
        title=title(error.code),
        status=error.status,
        detail=error.detail,
        code=error.code,
        request_id=request_id,
        field=error.field,
    )


def allow_header(methods: Iterable[str]) -> str:
    """Return the value of Allow for a path whose routes have these methods: HEAD is wherever GET is."""
    allowed = {*methods, "OPTIONS"}
    return ", ".join(sorted(allowed | {"HEAD"} if "GET" in allowed else allowed))


def error_headers(error: AtelierError) -> Mapping[str, str]:
    """Return the headers that belong to an error in every wire format."""
    if isinstance(error, RateLimited):
        return {"Retry-After": str(error.retry_after)}
    return HEADERS.get(type(error), {})


def in_words_of(names: Mapping[str, str], error: AtelierError) -> tuple[str, str | None]:
    """Return sentence and field of an error with the names that a wire format has for native fields.

    A name may have an index: `reference_images[0]`.
    """

    def renamed(match: re.Match[str]) -> str:
        return f"{match[1]}{names.get(match[2] + match[3], names.get(match[2], match[2]) + match[3])}"

    field = error.field and _FIELD.sub(renamed, error.field)
    return _NAMED.sub(renamed, error.detail), field


def render_by_path(renderers: Mapping[str, Renderer]) -> Renderer:
    """Return the renderer that uses the one of the longest prefix of a request's path, and `problem` for other paths.

    A prefix is whole segments: `/v1/media` is none of `/v1/medial`. So an answer without a route is in the shape of
    the dialect whose path it is below, too.
    """
    longest_first = sorted(renderers.items(), key=lambda item: -len(item[0]))

    def render(
        request: Request[Any, Any, Any], error: AtelierError, headers: Mapping[str, str] | None = None
    ) -> Response[Any]:
        path = f"{request.scope['path']}/"
        found = next((renderer for prefix, renderer in longest_first if path.startswith(f"{prefix}/")), problem)
        return found(request, error, headers or {})

    return render


def exception_handlers(render: Renderer) -> dict[int | type[Exception], Any]:
    """Return the `exception_handlers` of the application.

    `render` makes the response of an `AtelierError`, whatever went wrong; it gets the headers that the response needs
    beside those of `error_headers`.
    """

    def handle(request: Request[Any, Any, Any], exception: Exception) -> Response[Any]:
        allow: dict[str, str] = {}
        if isinstance(exception, HTTPException):
            offered = {name.lower(): value for name, value in (exception.headers or {}).items()}
            allow = {"Allow": allow_header(offered["allow"].split(", "))} if "allow" in offered else {}
        return render(request, _in_callers_words(request, to_error(request, exception)), allow)

    return {AtelierError: handle, HTTPException: handle, Exception: handle}


def to_error(request: Request[Any, Any, Any], exception: Exception) -> AtelierError:
    """Return the error of the tree that an exception amounts to; log what the caller may not see."""
    if isinstance(exception, StorageUnavailable):
        log.warning("request: store unavailable id=%s error=%s", request_id(request.scope), exception.detail)
        return StorageUnavailable()
    if isinstance(exception, AtelierError):
        return exception
    if isinstance(exception, HTTPException) and exception.detail == DISCONNECTED:
        log.info("request: client disconnected during the body id=%s", request_id(request.scope))
        return RequestRefused(DISCONNECTED)
    if isinstance(exception, HTTPException) and exception.status_code < 500:
        return _to_refusal(request, exception)
    if is_unreachable(exception):
        return DatabaseUnavailable()
    log.error("request: failed id=%s", request_id(request.scope), exc_info=exception)
    return AtelierError()


def _in_callers_words(request: Request[Any, Any, Any], error: AtelierError) -> AtelierError:
    """Return the error with the picture of the request under the name that the body has for it."""
    name = request.scope["state"].get(PICTURE_NAME)
    if name is not None:
        body = request.route_handler.parsed_data_field
        own = picture_field(body.annotation) if body is not None else None
        error.detail = error.detail.replace(f"`{own}`", f"`{name}`")
        error.field = f"$.{name}" if error.field == f"$.{own}" else error.field
    return error


def _to_refusal(request: Request[Any, Any, Any], error: HTTPException) -> AtelierError:
    """Return the error for a refusal of the framework: an unknown route, a large body, a bad parameter."""
    if isinstance(error, ValidationException):
        return _bad_parameter(error)
    if error.status_code == BodyTooLarge.status:
        return _too_large(request)
    if error.status_code == UnknownRoute.status:
        return UnknownRoute(suggested_path(request.scope["path"], [route.path_format for route in request.app.routes]))
    known = BY_STATUS.get(error.status_code)
    return known() if known else RequestRefused(error.detail)


def _too_large(request: Request[Any, Any, Any]) -> BodyTooLarge:
    """Return the error with the limit of this route; routes that take media have a larger one."""
    limit = request.route_handler.resolve_request_max_body_size()
    return BodyTooLarge(f"Send at most {limit} bytes of JSON; larger media can be uploaded with POST /inputs/v1.")


def _bad_parameter(error: ValidationException) -> InvalidRequest:
    """Return the error of the first parameter at fault; a missing `data` is an empty body."""
    faults = error.extra if isinstance(error.extra, list) else []
    first: Mapping[str, str] = faults[0] if faults else {}
    key = first.get("key", "")
    if key == "data":
        return InvalidJson(f"The body is empty. {InvalidJson.advice}")
    if not key:
        return MissingField(error.detail) if "Missing required" in error.detail else InvalidRequest(error.detail)
    fault = msgspec.ValidationError(first.get("message", "") + " - at `$`")
    key = key.removesuffix("_")  # Litestar reserves the name without it
    source = ParamType(first.get("source", "query")).value
    return refusal(fault, root=f"{source}.{key.replace('_', '-').title() if source == 'header' else key}")
