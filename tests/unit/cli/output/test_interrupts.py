"""Time limits, which no library on the way takes for an error of its own."""

import signal

import pytest

from cli.output.interrupts import TimeLimit, time_limit
from tests.support.wait import until


def test_a_block_ends_at_its_limit():
    with pytest.raises(TimeLimit), time_limit(0.01):
        until(lambda: False, 5, "the end")


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
