"""The errors that a submission can be refused with; every wire format documents and renders the same ones."""

from api.http.strict_json import BODY_ERRORS
from core.errors import (
    AtelierError,
    BudgetExhausted,
    ForbiddenUrl,
    IdempotencyMismatch,
    InputTooLarge,
    InputUnreadable,
    NoModelAvailable,
    NotSupportedYet,
    NotThisModel,
    NulInText,
    StorageUnavailable,
    TooManyJobs,
    UnknownInput,
    UnknownJob,
    UnknownModel,
    UnknownServer,
    UnsupportedMedia,
)

SUBMIT_ERRORS: tuple[type[AtelierError], ...] = (
    *BODY_ERRORS,
    *(BudgetExhausted, UnknownServer, UnknownJob, NulInText, NotSupportedYet, UnknownModel, NotThisModel),
    *(IdempotencyMismatch, ForbiddenUrl, UnknownInput, UnsupportedMedia, InputTooLarge, InputUnreadable),
    *(TooManyJobs, NoModelAvailable, StorageUnavailable),
)
"""In the order in which the OpenAPI document lists them; `DatabaseUnavailable` belongs to every route."""
