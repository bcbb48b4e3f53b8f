"""Errors in WhaleTools' form: `{"error": {type, message, code, param}, "message"}`."""

from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Request, Response

from api.http.problems import error_headers, in_words_of
from core.errors.access import BadSignature, Forbidden, StoreMismatch, Unauthenticated
from core.errors.base import AtelierError
from core.errors.fields import InvalidRequest
from core.errors.tree import all_errors
from jobs.job import Job

FIELDS = {
    "target_voice_path": "voice_id",
    "language_id": "language",
    "duration_seconds": "duration",
    "input_image": "image_url",
    "callback_url": "webhook_url",
    "width": "size",
    "height": "size",
}
"""Names of fields here, by those of the parameters."""
BY_STATUS = {402: "billing_error", 404: "not_found_error", 429: "rate_limit_error"}
GENERATION = "generation_error"


class WhaleFault(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What went wrong: its kind, its code, and the field at fault."""

    type: str
    message: str
    code: str
    param: str | None = None


class WhaleError(msgspec.Struct, frozen=True, kw_only=True):
    """The body of an error; `message` is where clients look first, `error` where the documents have it."""

    error: WhaleFault
    message: str


def render_error(
    request: Request[Any, Any, Any], error: AtelierError, headers: Mapping[str, str]
) -> Response[WhaleError]:
    """Return the answer to a request that is refused."""
    detail, field = in_words_of(FIELDS, error)
    body = error_body(_type(error), detail, error.code, field)
    return Response(body, status_code=error.status, headers={**error_headers(error), **headers})


def error_body(type_: str, message: str, code: str, field: str | None = None) -> WhaleError:
    """Return the body of an error; `field` is a path."""
    param = None if field is None else field.removeprefix("$.")
    return WhaleError(error=WhaleFault(type=type_, message=message, code=code, param=param), message=message)


def failure(job: Job) -> Response[WhaleError]:
    """Return the answer of a synchronous route whose job has failed: 422 where its input was at fault, else 500."""
    code, message = (job.error.code, job.error.message) if job.error else ("cancelled", "The job was cancelled.")
    faults = {error.code for error in all_errors(InvalidRequest)} | {"input_unreachable"}
    return Response(error_body(GENERATION, message, code), status_code=422 if code in faults else 500)


def _type(error: AtelierError) -> str:
    if isinstance(error, Unauthenticated):
        return "authentication_error"
    if isinstance(error, StoreMismatch):
        return "store_mismatch_error"
    if isinstance(error, Forbidden | BadSignature):
        return "permission_error"
    return BY_STATUS.get(error.status, "invalid_request_error" if error.status < 500 else "api_error")
