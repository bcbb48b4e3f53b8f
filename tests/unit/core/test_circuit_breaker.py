"""The breaker: after a failure it stays open for a while."""

import time

import pytest

from core.circuit_breaker import CircuitBreaker


@pytest.fixture
def clock(monkeypatch):
    """A clock that moves only when a test calls it."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def move(seconds):
        now[0] += seconds

    return move


def test_it_starts_closed():
    assert not CircuitBreaker(5.0).open


def test_a_failure_opens_it_for_its_time(clock):
    breaker = CircuitBreaker(5.0)
    breaker.fail()
    assert breaker.open
    clock(4.9)
    assert breaker.open
    clock(0.2)
    assert not breaker.open


def test_each_failure_counts_anew(clock):
    breaker = CircuitBreaker(5.0)
    breaker.fail()
    clock(5.1)
    breaker.fail()
    clock(4.9)
    assert breaker.open
