"""Buckets of one process: how many are kept."""

import pytest

from api.limits import token_buckets as module
from api.limits.token_buckets import LocalBuckets, Rate

SLOW = Rate(0.001, 1)
QUICK = Rate(1e6, 1)


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(module, "MOST_LOCAL", 10)


def test_buckets_that_are_full_again_are_forgotten_first():
    buckets = LocalBuckets()
    for number in range(5):
        buckets.take(f"slow {number}", SLOW)
    for number in range(5):
        buckets.take(f"quick {number}", QUICK)
    assert not buckets.take("slow 0", SLOW).allowed
    assert buckets.take("another", SLOW).allowed
    assert not buckets.take("slow 0", SLOW).allowed


def test_where_most_are_in_use_all_are_forgotten():
    """So that the look through all of them comes once in many takes."""
    buckets = LocalBuckets()
    for number in range(1_000):
        assert buckets.take(f"slow {number}", SLOW).allowed
        assert len(buckets._full_at) <= 10
    assert buckets.take("slow 0", SLOW).allowed
