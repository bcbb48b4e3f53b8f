"""Errors as ImagePipeline's client reads them: `message`, and `error_code` in capitals."""

from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Request, Response

from api.dialects.imagepipeline.operations import OPERATIONS
from api.http.problems import error_headers, in_words_of
from api.http.request_ids import request_id
from core.errors.access import Forbidden, Unauthenticated
from core.errors.base import AtelierError
from core.errors.fields import InvalidRequest, NoCapableModel
from core.errors.limits import BudgetExhausted, RateLimited, TooManyJobs
from core.errors.unavailable import NoModelAvailable
from jobs.job import Job
from jobs.wire.dialects.imagepipeline import CANCELLED, INPUT_INVALID, failure_reason

CODES: tuple[tuple[type[AtelierError], str], ...] = (
    (NoCapableModel, "NO_MODEL_AVAILABLE"),
    (NoModelAvailable, "NO_MODEL_AVAILABLE"),
    (BudgetExhausted, "INSUFFICIENT_BALANCE"),
    (RateLimited, "RATE_LIMIT_EXCEEDED"),
    (TooManyJobs, "CONCURRENT_JOBS_EXCEEDED"),
    (Unauthenticated, "UNAUTHORIZED"),
    (Forbidden, "FORBIDDEN"),
    (InvalidRequest, "INVALID_PARAMETERS"),
)
NOT_FOUND = 404
PATH = "/imagepipeline"
NAMES = {f"{PATH}/{operation.endpoint}": operation.names for operation in OPERATIONS}
"""The names of fields that differ from the native ones, by the path of the call."""


class Fault(msgspec.Struct, frozen=True):
    """A field at fault, in the form of the client's documents."""

    loc: tuple[str, ...]
    msg: str
    type: str


class ImagePipelineError(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of an error. `code` is Atelier's own, `capability` what no served model has."""

    message: str
    error: str
    error_code: str
    code: str
    request_id: str
    field: str | None = None
    capability: str | None = None
    detail: list[Fault] | str = ""


def render_error(
    request: Request[Any, Any, Any], error: AtelierError, headers: Mapping[str, str]
) -> Response[ImagePipelineError]:
    """Return the response of an error."""
    message, field = in_words_of(NAMES.get(request.scope["path"].rstrip("/"), {}), error)
    fault = None if field is None else Fault(("body", *field.removeprefix("$.").split(".")), message, error.code)
    body = ImagePipelineError(
        message=message,
        error=message,
        error_code=error_code(error),
        code=error.code,
        request_id=request_id(request.scope),
        field=None if field is None else field.removeprefix("$."),
        capability=error.capability if isinstance(error, NoCapableModel) else None,
        detail=message if fault is None else [fault],
    )
    return Response(body, status_code=error.status, headers={**error_headers(error), **headers})


def failure(job: Job, request_id: str) -> Response[Any]:
    """Return the answer of a call that waits, whose job has failed or was cancelled: 422 for its input, else 500."""
    reason = failure_reason(job)
    assert reason is not None, job.status
    code = job.error.code if job.error else CANCELLED.lower()
    body = ImagePipelineError(
        message=reason.error,
        error=reason.error,
        error_code=code.upper(),
        code=code,
        request_id=request_id,
        detail=reason.error,
    )
    return Response(body, status_code=422 if reason.failure_reason_code == INPUT_INVALID else 500)


def error_code(error: AtelierError) -> str:
    """Return the code of an error in the client's words; one that it has no word for keeps Atelier's, in capitals."""
    if error.status == NOT_FOUND:
        return "NOT_FOUND"
    return next((code for kind, code in CODES if isinstance(error, kind)), error.code.upper())
