"""Limits of a tenant, of a key and of an address."""

from math import ceil

from core.errors.base import RequestRefused
from core.errors.fields import InvalidRequest


class BudgetExhausted(RequestRefused):
    """A job whose price does not fit into what is left of its tenant's budget, or of its key's."""

    code, status = "budget_exhausted", 402
    advice = (
        "The budget of this tenant is spent, or reserved for its unfinished jobs; wait until some of those have ended, "
        "or ask the operator to raise it."
    )
    of_key = (
        "The budget of this key is spent, or reserved for its unfinished jobs; wait until some of those have ended, or "
        "raise it with PATCH /keys/v1/{key_id}."
    )


class TooManyVoices(InvalidRequest):
    """A voice beyond the tenant's limit."""

    code = "too_many_voices"
    advice = (
        "Remove a voice with DELETE /voices/v1/{voice_id}, then send the request again, or ask the operator to raise "
        "ATELIER_MAX_VOICES."
    )


class LibraryFull(InvalidRequest):
    """A file beyond what the tenant may bring to the media library."""

    code = "library_full"
    advice = (
        "Delete items with DELETE /media/v1/{media_id}, then send the request again, or ask the operator to raise "
        "ATELIER_LIBRARY_ITEMS or ATELIER_LIBRARY_BYTES."
    )


class TooManyProfiles(InvalidRequest):
    """A profile beyond the tenant's limit."""

    code = "too_many_profiles"
    advice = (
        "Remove a profile with DELETE /profiles/v1/{profile_id}, then send the request again, or ask the operator to "
        "raise ATELIER_MAX_PROFILES."
    )


class TooManyEntities(InvalidRequest):
    """An entity beyond the tenant's limit."""

    code = "too_many_entities"
    advice = (
        "Archive one with POST /v1/entities/{entity_id}/archive, then send the request again, or ask the operator to "
        "raise ATELIER_MAX_ENTITIES."
    )


class TooManyKeys(InvalidRequest):
    """A key beyond the tenant's limit."""

    code = "too_many_keys"
    advice = (
        "Revoke one with DELETE /keys/v1/{key_id}, then send the request again, or ask the operator to raise "
        "ATELIER_MAX_KEYS."
    )


class TooManyWebhooks(InvalidRequest):
    """A webhook endpoint beyond the tenant's limit."""

    code = "too_many_webhooks"
    advice = (
        "Remove one with DELETE /webhooks/v1/{webhook_id}, then send the request again, or ask the operator to raise "
        "ATELIER_MAX_WEBHOOKS."
    )


class TooManyBodies(RequestRefused):
    """A large body beyond what the tenant may send at the same time."""

    code, status = "too_many_bodies", 429
    advice = (
        "You are sending too many large bodies at once; send fewer at a time, or upload files with POST /inputs/v1. "
        "The operator can raise ATELIER_BODY_BUDGET, or ATELIER_FILE_BUDGET for files."
    )


class TooManyJobs(RequestRefused):
    """A job beyond the tenant's limit of unfinished jobs."""

    code, status = "too_many_jobs", 429
    advice = (
        "Wait until some of your jobs have finished, then send the request again, or ask the operator to raise "
        "ATELIER_MAX_WAITING_JOBS."
    )


class RateLimited(RequestRefused):
    """A request beyond the rate limit of its key; `retry_after` is in whole seconds, 1 or more."""

    code, status = "rate_limited", 429
    advice = (
        "This key sends requests faster than its rate limit; wait as many seconds as Retry-After says, then repeat it. "
        "The operator can raise ATELIER_RATE_LIMIT."
    )

    def __init__(self, detail: str | None = None, *, retry_after: float = 1.0) -> None:
        super().__init__(detail)
        self.retry_after = max(1, ceil(retry_after))


class TooManyUnknownKeys(RateLimited):
    """A request from an address that has sent too many unknown keys."""

    code = "too_many_unknown_keys"
    advice = (
        "Too many requests with unknown keys came from this address; wait as many seconds as Retry-After says, then "
        "send a valid key. The operator can raise ATELIER_UNKNOWN_KEY_LIMIT."
    )


class TooManyStreams(RequestRefused):
    """An event stream beyond the tenant's limit of open ones."""

    code, status = "too_many_streams", 429
    advice = (
        "Close some of them, or poll the status of your jobs instead, and try again later. "
        "The operator can raise ATELIER_MAX_STREAMS."
    )


class TooManyUploads(RequestRefused):
    """An upload beyond the tenant's limit of their number or their bytes."""

    code, status = "too_many_uploads", 429
    advice = (
        "Wait until older uploads have expired, and name one upload in all jobs that need its file. "
        "The operator can raise ATELIER_MAX_UPLOADS and ATELIER_MAX_UPLOAD_BYTES."
    )
