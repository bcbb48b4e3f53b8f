"""The errors that a submission can be refused with; every wire format documents and renders the same ones."""

from api.http.strict_json import BODY_ERRORS
from core.errors.access import NotEntitled
from core.errors.base import AtelierError
from core.errors.fields import (
    ForbiddenUrl,
    IdempotencyMismatch,
    NoCapableModel,
    NoSuchProfile,
    NotSupportedYet,
    NotThisModel,
    NulInText,
    UnknownModel,
)
from core.errors.inputs import InputTooLarge, InputUnreadable, UnknownInput, UnsupportedMedia
from core.errors.limits import BudgetExhausted, TooManyJobs
from core.errors.unavailable import NoModelAvailable, StorageUnavailable
from core.errors.unknown import UnknownJob, UnknownServer

SUBMIT_ERRORS: tuple[type[AtelierError], ...] = (
    *BODY_ERRORS,
    *(NotEntitled, BudgetExhausted, UnknownServer, UnknownJob, NulInText, NotSupportedYet, UnknownModel, NotThisModel),
    *(NoSuchProfile, NoCapableModel),
    *(IdempotencyMismatch, ForbiddenUrl, UnknownInput, UnsupportedMedia, InputTooLarge, InputUnreadable),
    *(TooManyJobs, NoModelAvailable, StorageUnavailable),
)
"""In the order in which the OpenAPI document lists them; `DatabaseUnavailable` belongs to every route."""
