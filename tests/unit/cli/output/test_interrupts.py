"""Time limits, which no library on the way takes for an error of its own."""

import signal
import sys
from contextlib import suppress

import pytest

from cli.output import interrupts
from cli.output.interrupts import TimeLimit, time_limit
from tests.support.wait import until


@pytest.mark.parametrize("seconds", [0.01, 0.0])
def test_a_block_ends_at_its_limit(seconds):
    with pytest.raises(TimeLimit), time_limit(seconds):
        until(lambda: False, 5, "the end")


def test_a_limit_that_passes_in_a_finalizer_is_raised_again(monkeypatch):
    class Slow:
        def __del__(self):
            with suppress(AssertionError):
                until(lambda: False, 0.1, "nothing")

    def drop_slowly():
        Slow()
        until(lambda: False, 5, "the end")

    monkeypatch.setattr(interrupts, "REPEAT_SECONDS", 0.05)
    monkeypatch.setattr(sys, "unraisablehook", lambda ignored: None)
    with pytest.raises(TimeLimit), time_limit(0.01):
        drop_slowly()


def test_what_ends_in_time_leaves_no_timer():
    handler, before = signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)
    with time_limit(60.0):
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 59
    assert handler == signal.getsignal(signal.SIGALRM)
    assert bool(before[0]) == bool(signal.getitimer(signal.ITIMER_REAL)[0])


def test_without_a_limit_nothing_changes():
    before = signal.getsignal(signal.SIGALRM)
    with time_limit(None):
        assert before == signal.getsignal(signal.SIGALRM)
