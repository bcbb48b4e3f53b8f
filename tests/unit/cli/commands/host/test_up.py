"""The signals that end `atelier up` and `atelier demo`."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from cli.commands.host.up import SIGNALS, EndingSignal
from tests.support.service.processes import descendants
from tests.support.wait import until

ONE_SERVICE = """
import sys
from cli.commands.host import up
from cli.stack import process_supervisor, stack
from cli.stack.services import Command

process_supervisor.FIRST_PAUSE = 0.05

class Stack(stack.Stack):
    def start(self):
        service = Command("sleeper", [], {}, self.data_directory.folder / "log")
        service._argv = ["/bin/sleep", "1000"]
        service.start()
        self._api = [service]
        self._supervisor = process_supervisor.ProcessSupervisor([service], self._print_status)
        self._supervisor.start()

    def await_ready(self, ended):
        return True

up.Stack = Stack
up.up()
"""
"""`atelier up` with a program that sleeps in the place of all servers."""


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


def test_without_a_reader_it_restarts_its_parts_and_ends_well(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", ONE_SERVICE, "--data", str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        assert b"Atelier is ready" in process.stdout.readline()
        process.stdout.close()
        for _ in range(2):
            (part,) = descendants(process.pid)
            os.kill(part, signal.SIGKILL)
            until(lambda part=part: descendants(process.pid) - {part}, what="a new part")
        process.send_signal(signal.SIGTERM)
        assert 0 == process.wait(10)
    finally:
        process.kill()
