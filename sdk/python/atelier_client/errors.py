"""Errors of the client."""

import msgspec

from atelier_client.models import ChainAnswer, StatusAnswer


class AtelierError(Exception):
    """Every error of this package."""


class ApiError(AtelierError):
    """A refusal of the API.

    `status` is the HTTP status, `code` the stable code of the problem (GET /problems lists all), `detail` what is wrong
    and what to do, `field` the field at fault, `request_id` what the operator finds the request by. Of an answer that
    is not the API's own, but a proxy's or the store's, only `status` and `detail` are known.
    """

    def __init__(
        self,
        detail: str,
        *,
        status: int | None = None,
        code: str = "",
        field: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{detail} [{code or status}]" if code or status else detail)
        self.detail = detail
        self.status = status
        self.code = code
        self.field = field
        self.request_id = request_id
        self.retry_after = retry_after


class ApiUnavailable(ApiError):
    """An API that does not answer, or answers with 5xx; the same call may work later."""


class UnreadableAnswer(ApiError):
    """An answer of another form: of an API of another version, or of something else at that address."""


class JobFailed(AtelierError):
    """A job that failed; `job.error` has its code and its sentence."""

    def __init__(self, job: StatusAnswer) -> None:
        reason = f"{job.error.message} [{job.error.code}]" if job.error else "no reason is known"
        super().__init__(f"{job.job_id} failed: {reason}")
        self.job = job


class JobCancelled(AtelierError):
    """A job that was cancelled."""

    def __init__(self, job: StatusAnswer) -> None:
        super().__init__(f"{job.job_id} was cancelled")
        self.job = job


class ChainFailed(AtelierError):
    """A chain that failed; `chain.failed_step` and `chain.error` say at which of its steps, and why."""

    def __init__(self, chain: ChainAnswer) -> None:
        reason = f"{chain.error.message} [{chain.error.code}]" if chain.error else "no reason is known"
        super().__init__(f"{chain.chain_id} failed at {chain.failed_step}: {reason}")
        self.chain = chain


class ChainCancelled(AtelierError):
    """A chain that was cancelled, or of which a job was."""

    def __init__(self, chain: ChainAnswer) -> None:
        super().__init__(f"{chain.chain_id} was cancelled")
        self.chain = chain


class JobTimeout(AtelierError, TimeoutError):
    """A job or a chain that has not ended in the time that a caller gave it. It goes on: cancel it, or wait again."""

    def __init__(self, job_id: str, seconds: float) -> None:
        super().__init__(f"{job_id} has not ended after {seconds:g} s")
        self.job_id = job_id


class WebhookRefused(AtelierError):
    """A webhook whose signature is wrong, or that is too old."""


class Problem(msgspec.Struct, frozen=True):
    """What is read of a problem (RFC 9457); a gateway before the API sends neither code nor field."""

    code: str = ""
    detail: str = ""
    field: str | None = None
    request_id: str | None = None
