"""The root of all errors that a caller can see, and that of requests which the caller can correct."""

from typing import ClassVar


class AtelierError(Exception):
    """Root of the tree: a stable ``code``, an HTTP ``status``, and ``advice``, the message where no detail is given."""

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    advice: ClassVar[str] = "The service failed; try again, and report the request id if it fails again."

    def __init__(self, detail: str | None = None, *, field: str | None = None) -> None:
        self.detail = detail or self.advice
        self.field = field
        super().__init__(self.detail)


class RequestRefused(AtelierError):
    """A request that the caller can correct."""

    code, status = "request_refused", 400
