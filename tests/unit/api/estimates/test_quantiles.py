"""Quantiles of measured times, and of sums."""

import math
import random
import statistics

import pytest

from api.estimates.quantiles import added, assumed, measured, rounded, times
from jobs.wire.estimates.estimate import SecondsRange

SIGMA = math.log(2) / statistics.NormalDist().inv_cdf(0.95)
"""Of a lognormal time whose p95 is twice its median."""


def seconds(p50, p95):
    return SecondsRange(p50_seconds=p50, p95_seconds=p95)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([3.0], (3.0, 6.0)),
        ([1.0, 2.0, 9.0], (2.0, 9.0)),
        ([1.0] * 10, (1.0, 1.0)),
        ([0.0], (0.0, 0.0)),
        (list(range(1, 100)), (50, 95)),
    ],
)
def test_measured_times_have_a_middle_and_a_p95(values, expected):
    assert seconds(*expected) == measured(values)


def test_quantiles_of_fifty_cover_the_next_fifty():
    """In a hundred worlds whose p95 is twice the median: on average more than 45 of 50, as 94.5 % would be 47."""
    covered = []
    for seed in range(100):
        draw = random.Random(seed)
        found = measured([draw.lognormvariate(0, SIGMA) for _ in range(50)])
        least, most = found.p50_seconds / 2, 1.5 * found.p95_seconds
        covered.append(sum(least <= draw.lognormvariate(0, SIGMA) <= most for _ in range(50)))
    assert 46 < statistics.mean(covered) < 48


def test_independent_parts_add_up_in_squares():
    assert seconds(6.0, 11.0) == added([(1, seconds(1.0, 4.0)), (1, seconds(5.0, 9.0)), (3, seconds(0.0, 0.0))])
    assert seconds(8.0, 12.0) == added([(4, seconds(2.0, 4.0))]), "four jobs vary less than one of four times the time"
    assert seconds(0.0, 0.0) == added([])


def test_the_sum_is_that_of_simulated_parts():
    draw = random.Random(4)
    sums = [sum(draw.lognormvariate(0, SIGMA) for _ in range(20)) for _ in range(2000)]
    found = added([(20, seconds(1.0, 2.0))])
    assert statistics.median(sums) == pytest.approx(found.p50_seconds, rel=0.12)  # a mean is above a median
    assert statistics.quantiles(sums, n=20)[-1] == pytest.approx(found.p95_seconds, rel=0.12)


def test_shares_and_assumed_times_keep_their_proportion():
    assert seconds(1.5, 3.0) == times(0.5, assumed(3.0)) == rounded(seconds(1.5001, 2.9999))
