"""Waits of a start."""

import threading

import pytest

from cli.local.start_wait import StartInterrupted, wait_until


def test_it_ends_once_the_condition_holds():
    answers = iter([False, False, True])
    assert wait_until(lambda: next(answers), 60, threading.Event())


def test_it_gives_up_after_its_time():
    assert not wait_until(lambda: False, 0, threading.Event())


def test_an_interrupted_wait_asks_nothing_more():
    interrupted, asked = threading.Event(), []

    def interrupt() -> bool:
        asked.append(interrupted.set())
        return False

    with pytest.raises(StartInterrupted):
        wait_until(interrupt, 60, interrupted)
    assert 1 == len(asked)
