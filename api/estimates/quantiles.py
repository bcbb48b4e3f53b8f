"""Quantiles of seconds: of measured ones, of an assumed one, and of sums."""

import math
import statistics
from collections.abc import Iterable, Sequence

from jobs.wire.estimates.estimate import SecondsRange

SPREAD = 2.0
"""What p95 is to p50 where too few are known to say: as of lognormal times that vary by 44 % of their mean."""
LEAST = 5
"""Of fewer values the greatest says little of p95."""
NONE = SecondsRange(p50_seconds=0.0, p95_seconds=0.0)


def assumed(p50: float) -> SecondsRange:
    """Return the quantiles of seconds of which only the middle is known."""
    return SecondsRange(p50_seconds=p50, p95_seconds=SPREAD * p50)


def measured(seconds: Sequence[float]) -> SecondsRange:
    """Return the quantiles of at least one measured value.

    p95 is that of `statistics.quantiles`, whose default method takes the sample as a part of a larger population: type
    6 of Hyndman and Fan, "Sample Quantiles in Statistical Packages" (The American Statistician 50, 1996). Of fewer than
    `LEAST` values it is at least the assumed one.
    """
    p50 = statistics.median(seconds)
    if len(seconds) < LEAST:
        return SecondsRange(p50_seconds=p50, p95_seconds=max(assumed(p50).p95_seconds, *seconds))
    return SecondsRange(p50_seconds=p50, p95_seconds=max(p50, statistics.quantiles(seconds, n=20)[-1]))


def added(parts: Iterable[tuple[float, SecondsRange]]) -> SecondsRange:
    """Return the quantiles of a sum of independent parts, each so many times.

    The middles add up, and the squares of the distances from there to p95: the law of propagation of uncertainty for
    uncorrelated quantities (JCGM 100:2008, 5.1.2).
    """
    p50, square = 0.0, 0.0
    for times, part in parts:
        p50 += times * part.p50_seconds
        square += times * (part.p95_seconds - part.p50_seconds) ** 2
    return SecondsRange(p50_seconds=p50, p95_seconds=p50 + math.sqrt(square))


def times(factor: float, whole: SecondsRange) -> SecondsRange:
    """Return the quantiles of a share of something, or of a multiple that varies as one."""
    return SecondsRange(p50_seconds=factor * whole.p50_seconds, p95_seconds=factor * whole.p95_seconds)


def rounded(part: SecondsRange) -> SecondsRange:
    """Return the quantiles in milliseconds."""
    return SecondsRange(p50_seconds=round(part.p50_seconds, 3), p95_seconds=round(part.p95_seconds, 3))
