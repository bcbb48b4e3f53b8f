"""Errors in OpenAI's form: `{"error": {message, type, param, code}}`, and whether its clients should try again.

Its clients repeat a request by themselves after 408, 409, 429 and 5xx, unless `x-should-retry` says otherwise.
"""

from collections.abc import Mapping
from typing import Any

from litestar import Request, Response

from api.http.problems import error_headers
from core.errors.access import Unauthenticated
from core.errors.base import AtelierError
from core.errors.fields import InvalidRequest, UnknownModel
from core.errors.limits import BudgetExhausted, RateLimited
from core.errors.tree import all_errors
from core.errors.unavailable import NoModelAvailable, SchemaBehind, Unavailable
from jobs.job import Job
from jobs.wire.dialects.openai import ErrorBody, OpenAIError, failure_of

SHOULD_RETRY = "x-should-retry"
FIELDS: Mapping[str, str] = {
    "input_image": "image",
    "reference_images": "image",
    "num_images": "n",
    "width": "size",
    "height": "size",
    "text": "input",
    "target_voice_path": "voice",
    "duration_seconds": "seconds",
}
"""Names of fields here, by those of the parameters."""
CODES: Mapping[type[AtelierError], tuple[int, str]] = {
    Unauthenticated: (401, "invalid_api_key"),
    UnknownModel: (404, "model_not_found"),
    BudgetExhausted: (429, "insufficient_quota"),
    RateLimited: (429, "rate_limit_exceeded"),
}
"""Statuses and codes of errors for which clients test OpenAI's own; all others have this service's."""
TYPES: Mapping[int, str] = {403: "permission_error", 429: "rate_limit_error"}
STILL_RUNNING = (
    "The request is still being worked on; send it again as it is and it is waited for further, without a second job."
)


def render_error(request: Request[Any, Any, Any], error: AtelierError, headers: Mapping[str, str]) -> Response[Any]:
    """Return the answer to a request that is refused."""
    detail, field = error.detail, error.field
    for native, own in FIELDS.items():
        detail = detail.replace(f"`{native}`", f"`{own}`")
        field = f"$.{own}" if (field or "").partition("[")[0] == f"$.{native}" else field
    status, code = CODES.get(type(error), (400 if error.status in (413, 415, 422) else error.status, error.code))
    param = None if field is None else field.removeprefix("$.")
    body = error_body(status, detail, code, param)
    return Response(body, status_code=status, headers={**_retry(error, status), **error_headers(error), **headers})


def error_body(status: int, message: str, code: str, param: str | None = None) -> ErrorBody:
    """Return the body of an answer of this status."""
    type_ = "insufficient_quota" if code == "insufficient_quota" else TYPES.get(status)
    type_ = type_ or ("server_error" if status >= 500 else "invalid_request_error")
    return ErrorBody(OpenAIError(message=message, type=type_, param=param, code=code))


def failure(job: Job) -> Response[ErrorBody]:
    """Return the answer of a job that ended without a result: 400 where its input was at fault, else 500.

    It was tried as often as it may be, so clients should not try again.
    """
    code, message = failure_of(job)
    status = failure_status(code)
    return Response(error_body(status, message, code), status_code=status, headers={SHOULD_RETRY: "false"})


def failure_status(code: str) -> int:
    """Return the status of a failed job's answer."""
    faults = {error.code for error in all_errors(InvalidRequest)} | {"input_unreachable"}
    return 400 if code in faults else 500


def still_running() -> Response[ErrorBody]:
    """Return the answer of a job that takes longer than a request may; clients ask again by themselves."""
    body = error_body(504, STILL_RUNNING, "still_running")
    return Response(body, status_code=504, headers={SHOULD_RETRY: "true", "Retry-After": "1"})


def _retry(error: AtelierError, status: int) -> dict[str, str]:
    if isinstance(error, NoModelAvailable | SchemaBehind | BudgetExhausted) or status in (409, 501):
        return {SHOULD_RETRY: "false"}
    return {SHOULD_RETRY: "true"} if isinstance(error, Unavailable) else {}
