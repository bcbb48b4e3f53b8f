"""Retries under a clock of the test's own."""

import pytest

from core.retry import Backoff, retry

BACKOFF = Backoff(first=1.0, longest=8.0)


class Away(Exception):
    """The outage of these tests."""


class Clock:
    """A clock that only `wait` moves; `stop_at` is when a stop is requested."""

    def __init__(self, stop_at: float = float("inf")) -> None:
        self.now = 100.0
        self.pauses: list[float] = []
        self.stop_at = 100.0 + stop_at

    def wait(self, seconds: float) -> bool:
        self.pauses.append(seconds)
        self.now += seconds
        return self.now >= self.stop_at


def run(operation, clock, *, seconds=1000.0):
    return retry(
        operation,
        name="test",
        is_transient=lambda error: isinstance(error, Away),
        backoff=BACKOFF,
        seconds=seconds,
        wait=clock.wait,
        clock=lambda: clock.now,
    )


def failing(times, error=Away):
    errors = [error() for _ in range(times)]

    def operation():
        if errors:
            raise errors.pop()
        return "done"

    return operation


def test_success_needs_no_pause():
    clock = Clock()
    assert "done" == run(failing(0), clock)
    assert [] == clock.pauses


def test_pauses_double_up_to_the_longest():
    clock = Clock()
    assert "done" == run(failing(6), clock)
    assert [1.0, 2.0, 4.0, 8.0, 8.0, 8.0] == clock.pauses


def test_an_error_that_is_not_transient_is_raised_at_once():
    clock = Clock()
    with pytest.raises(KeyError):
        run(failing(1, KeyError), clock)
    assert [] == clock.pauses


def test_no_attempt_begins_after_the_deadline():
    clock = Clock()
    with pytest.raises(Away):
        run(failing(100), clock, seconds=7.5)
    assert [1.0, 2.0, 4.0] == clock.pauses


def test_one_last_attempt_follows_a_stop():
    clock = Clock(stop_at=2.0)
    assert "done" == run(failing(2), clock)
    clock = Clock(stop_at=2.0)
    with pytest.raises(Away):
        run(failing(3), clock)
    assert [1.0, 2.0] == clock.pauses


def test_what_wait_raises_ends_the_retries():
    def wait(seconds):
        raise KeyError("claim lost")

    with pytest.raises(KeyError):
        retry(failing(1), name="test", is_transient=lambda _: True, backoff=BACKOFF, seconds=60.0, wait=wait)


def test_a_retry_is_logged_with_its_pause(caplog):
    run(failing(1), Clock())
    assert "test: failed retry_in=1.0" in caplog.text


def test_jitter_only_lengthens_a_pause():
    pauses = [Backoff(first=1.0, longest=8.0, jitter=0.2).pause(9) for _ in range(100)]
    assert 8.0 <= min(pauses) < max(pauses) <= 9.6


def test_a_very_long_outage_does_not_overflow():
    assert 8.0 == BACKOFF.pause(10**6)
