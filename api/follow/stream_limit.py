"""The limit of event streams that a tenant may have open at once, in each process of the API."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from core.errors.limits import TooManyStreams


class StreamLimit:
    """Counts the open streams of each tenant, of which `most` are allowed."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: Counter[str] = Counter()

    @contextmanager
    def count_one(self, tenant: str) -> Iterator[None]:
        """Count one stream for the length of the block. Raises `TooManyStreams`."""
        if self._open[tenant] >= self._most:
            raise TooManyStreams(f"You have {self._most} event streams open. {TooManyStreams.advice}")
        self._open[tenant] += 1
        try:
            yield
        finally:
            self._open[tenant] -= 1
            if not self._open[tenant]:
                del self._open[tenant]
