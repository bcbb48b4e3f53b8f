"""The signals that end `atelier up` and `atelier demo`."""

import signal
import threading
from collections.abc import Iterator

import pytest

from cli.commands.host.up import SIGNALS, EndingSignal


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Put the handlers of the test run back afterwards."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_the_first_signal_asks_and_the_second_one_hurries() -> None:
    hurry = threading.Event()
    ending = EndingSignal(hurry)
    signal.raise_signal(signal.SIGTERM)
    assert ending.asked.wait(10)
    assert not hurry.is_set()
    signal.raise_signal(signal.SIGINT)
    assert hurry.wait(10)


def test_a_signal_may_interrupt_what_holds_the_events_lock() -> None:
    """As the wait for the event itself does for a moment, in the main thread."""
    ending = EndingSignal(threading.Event())
    with ending.asked._cond:
        signal.raise_signal(signal.SIGTERM)
    assert ending.asked.wait(10)


def test_only_the_first_signal_interrupts() -> None:
    hurry = threading.Event()
    EndingSignal(hurry, interrupt=True)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGINT)
    assert hurry.wait(10)
