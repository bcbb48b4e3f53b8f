"""What another attempt may mend."""

from core.errors import AtelierError


class RetryLater(Exception):
    """Try once more, not sooner than `after` seconds; `error` is what the job fails with when this was the last try."""

    def __init__(self, error: AtelierError, *, after: float = 0.0) -> None:
        super().__init__(error.detail)
        self.error = error
        self.after = after
