"""Errors in OpenAI's form: `{"error": {message, type, param, code}}`, and whether its clients should try again.

Its clients repeat a request by themselves after 408, 409, 429 and 5xx, unless `x-should-retry` says otherwise.
"""

from collections.abc import Mapping
from typing import Any

from litestar import Request, Response

from api.http.problems import error_headers
from core.errors.access import Unauthenticated
from core.errors.base import AtelierError
from core.errors.fields import UnknownModel
from core.errors.limits import BudgetExhausted, RateLimited
from core.errors.unavailable import NoModelAvailable, SchemaBehind, Unavailable
from jobs.batches import LineProblem
from jobs.job import Job
from jobs.wire.dialects.openai import QUOTA, ErrorBody, error_body, failure_of, failure_status

SHOULD_RETRY = "x-should-retry"
FIELDS: Mapping[str, str] = {
    "input_image": "image",
    "images": "messages",
    "reference_images": "image",
    "num_images": "n",
    "width": "size",
    "height": "size",
    "text": "input",
    "texts": "input",
    "input_audio": "file",
    "language_id": "language",
    "target_voice_path": "voice",
    "duration_seconds": "seconds",
}
"""Names of fields here, by those of the parameters."""
CODES: Mapping[type[AtelierError], tuple[int, str]] = {
    Unauthenticated: (401, "invalid_api_key"),
    UnknownModel: (404, "model_not_found"),
    BudgetExhausted: (429, QUOTA),
    RateLimited: (429, "rate_limit_exceeded"),
}
"""Statuses and codes of errors for which clients test OpenAI's own; all others have this service's."""
STILL_RUNNING = (
    "The request is still being worked on; send it again as it is and it is waited for further, without a second job."
)


def render_error(request: Request[Any, Any, Any], error: AtelierError, headers: Mapping[str, str]) -> Response[Any]:
    """Return the answer to a request that is refused."""
    problem = problem_of(error)
    status = problem.status or error.status
    body = error_body(status, problem.message, problem.code, problem.param)
    return Response(body, status_code=status, headers={**_retry(error, status), **error_headers(error), **headers})


def problem_of(error: AtelierError) -> LineProblem:
    """Return an error in the words of the dialect."""
    detail, field = error.detail, error.field
    for native, own in FIELDS.items():
        detail = detail.replace(f"`{native}`", f"`{own}`")
        field = f"$.{own}" if (field or "").partition("[")[0] == f"$.{native}" else field
    status, code = CODES.get(type(error), (400 if error.status in (413, 415, 422) else error.status, error.code))
    return LineProblem(code, detail, status, None if field is None else field.removeprefix("$."))


def failure(job: Job) -> Response[ErrorBody]:
    """Return the answer of a job that ended without a result.

    It was tried as often as it may be, so clients should not try again.
    """
    code, message = failure_of(job)
    status = failure_status(code)
    return Response(error_body(status, message, code), status_code=status, headers={SHOULD_RETRY: "false"})


def still_running() -> Response[ErrorBody]:
    """Return the answer of a job that takes longer than a request may; clients ask again by themselves."""
    body = error_body(504, STILL_RUNNING, "still_running")
    return Response(body, status_code=504, headers={SHOULD_RETRY: "true", "Retry-After": "1"})


def _retry(error: AtelierError, status: int) -> dict[str, str]:
    if isinstance(error, NoModelAvailable | SchemaBehind | BudgetExhausted) or status in (409, 501):
        return {SHOULD_RETRY: "false"}
    return {SHOULD_RETRY: "true"} if isinstance(error, Unavailable) else {}
