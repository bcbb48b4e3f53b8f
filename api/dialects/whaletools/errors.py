"""Errors in WhaleTools' form: `{"error": {type, message, code, param}, "message"}`."""

from collections.abc import Mapping
from typing import Any

from litestar import Request, Response

from api.http.problems import error_headers
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


def render_error(
    request: Request[Any, Any, Any], error: AtelierError, headers: Mapping[str, str]
) -> Response[dict[str, Any]]:
    """Return the answer to a request that is refused."""
    detail, field = error.detail, error.field
    for native, own in FIELDS.items():
        detail = detail.replace(f"`{native}`", f"`{own}`")
        field = f"$.{own}" if field == f"$.{native}" else field
    body = error_body(_type(error), detail, error.code, field)
    return Response(body, status_code=error.status, headers={**error_headers(error), **headers})


def error_body(type_: str, message: str, code: str, field: str | None = None) -> dict[str, Any]:
    """Return the body; `message` is where clients look first, `error` where the documents have it."""
    error = {"type": type_, "message": message, "code": code}
    if field is not None:
        error["param"] = field.removeprefix("$.")
    return {"error": error, "message": message}


def failure(job: Job) -> Response[dict[str, Any]]:
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
