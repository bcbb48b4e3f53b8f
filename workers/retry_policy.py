"""The retry policy of failed webhooks."""

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import msgspec

JITTER = 0.2
LONGEST_RETRY_AFTER = 86_400.0


class RetryPolicy(msgspec.Struct, frozen=True):
    """The seconds before each attempt, the first one included."""

    delays: tuple[float, ...]

    @classmethod
    def parse(cls, text: str) -> "RetryPolicy":
        """Parse `ATELIER_WEBHOOK_SCHEDULE`; raises `ValueError` with the name of the variable."""
        try:
            delays = tuple(float(part) for part in text.split(","))
        except ValueError as error:
            raise ValueError(f"ATELIER_WEBHOOK_SCHEDULE={text!r}: {error}") from None
        if any(not 0 <= delay < float("inf") for delay in delays):
            raise ValueError(f"ATELIER_WEBHOOK_SCHEDULE={text!r}: use finite seconds, 0 or more")
        return cls(delays)

    def delay(self, attempts: int, retry_after: float | None = None) -> float | None:
        """Return the seconds to wait after so many failed attempts, jittered upwards; None after the last one.

        A receiver's `retry_after` (seconds) can lengthen the wait, never shorten it.
        """
        if attempts >= len(self.delays):
            return None
        return max(self.delays[attempts], retry_after or 0.0) * random.uniform(1.0, 1.0 + JITTER)


def retry_after_seconds(header: str | None) -> float | None:
    """Return a Retry-After header (RFC 9110, 10.2.3: seconds or a date) in seconds, at most a day.

    Returns None without a header, and for one that does not follow the RFC.
    """
    if header is None:
        return None
    if header.strip().isdecimal():
        seconds = float(header)
    else:
        try:
            date = parsedate_to_datetime(header)
        except (ValueError, OverflowError):
            return None
        seconds = (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER)
