"""What the routes of every modality share."""

from litestar import get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from api.follow.job_lookup import find_job
from api.follow.status import StatusBuilder
from api.http.auth import Caller
from api.http.database import Database
from api.openapi.documents import error_responses
from api.submit.endpoint import ENDED
from core.errors import (
    AtelierError,
    BodyTooLarge,
    BudgetExhausted,
    ForbiddenUrl,
    IdempotencyMismatch,
    InputTooLarge,
    InputUnreadable,
    InvalidJson,
    InvalidRequest,
    MalformedId,
    MissingField,
    NoModelAvailable,
    NotSupportedYet,
    NotThisModel,
    NulInText,
    OutOfRange,
    StorageUnavailable,
    TooManyJobs,
    UnknownField,
    UnknownInput,
    UnknownJob,
    UnknownModel,
    UnknownServer,
    UnsupportedMedia,
    WrongType,
)
from jobs.params.base import Modality
from jobs.wire.status import StatusAnswer

ERRORS: tuple[type[AtelierError], ...] = (
    InvalidJson,
    BudgetExhausted,
    UnknownServer,
    UnknownJob,
    BodyTooLarge,
    MissingField,
    UnknownField,
    WrongType,
    OutOfRange,
    NulInText,
    NotSupportedYet,
    UnknownModel,
    NotThisModel,
    IdempotencyMismatch,
    ForbiddenUrl,
    UnknownInput,
    UnsupportedMedia,
    InputTooLarge,
    InputUnreadable,
    InvalidRequest,
    TooManyJobs,
    NoModelAvailable,
    StorageUnavailable,
)
"""What a submit can be refused with."""

SUBMIT_RESPONSES = ENDED | error_responses(*ERRORS)
"""`responses` of a submit route."""


def status_route(modality: Modality, summary: str) -> HTTPRouteHandler:
    """The status route of a modality: an attribute of its controller."""

    @get("/status/{job_id:str}", responses=error_responses(MalformedId, UnknownJob), summary=summary)
    async def status(
        self: object,
        job_id: FromPath[str],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        outlooks: NamedDependency[StatusBuilder],
    ) -> StatusAnswer:
        """The job as it is now; poll until `status` is completed, failed or cancelled."""
        return await outlooks.answer(await find_job(database, caller, job_id, modality))

    return status
