"""The error of an attempt that may go well next time."""

from core.errors.base import AtelierError


class RetryLater(Exception):
    """A failed attempt: try again in `after` seconds or later; `error` is the job's error after the last attempt."""

    def __init__(self, error: AtelierError, *, after: float = 0.0) -> None:
        super().__init__(error.detail)
        self.error = error
        self.after = after
