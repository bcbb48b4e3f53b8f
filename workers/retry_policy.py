"""The retry policy of failed webhooks."""

import random
from collections.abc import Mapping
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


def retry_after_seconds(headers: Mapping[str, str], *, now: datetime | None = None) -> float | None:
    """Return the Retry-After of an answer (RFC 9110, 10.2.3: seconds or a date) in seconds, at most a day.

    A date is measured against the answer's own `Date`, without one against `now`, the database's time: the clock of
    this machine may be off. Returns None for an answer that does not say it, or not as the RFC does, or gives a date
    that cannot be measured. Header names are in small letters.
    """
    text = headers.get("retry-after")
    if text is None:
        return None
    if text.strip().isdecimal():
        seconds = float(text)
    else:
        until, since = _date(text), _date(headers.get("date", "")) or now
        if until is None or since is None:
            return None
        seconds = (until - since).total_seconds()
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER)


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return date.replace(tzinfo=date.tzinfo or UTC)
