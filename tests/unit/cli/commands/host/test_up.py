"""The signals that end `atelier up` and `atelier demo`."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from cli.commands.host import up
from cli.commands.host.up import SIGNALS, EndingSignal
from cli.local.address import Address
from cli.local.data_dir import DataDirectory
from cli.main import atelier
from cli.output.status import StatusPrinter
from cli.stack.stack import Stack
from core.settings import read_settings
from tests.support.service.processes import descendants
from tests.support.wait import until

ONE_SERVICE = """
import os
from cli.commands.host import up
from cli.embedded.server import await_ready
from cli.stack import process_supervisor, stack
from cli.stack.services import Command

process_supervisor.FIRST_PAUSE = 0.05

class Stack(stack.Stack):
    def start(self):
        service = Command("sleeper", [], {}, self.data_directory.folder / "log")
        service._argv = ["/bin/sleep", "1000"]
        service.start()
        if "HANGS" in os.environ:
            print("starting", flush=True)
            await_ready("sleeper", service.process, lambda: False, service.log, 600, self.ending)
        self._api = [service]
        self._supervisor = process_supervisor.ProcessSupervisor([service], self._print_status)
        self._supervisor.start()

    def await_ready(self):
        return True

up.Stack = Stack
up.up()
"""
"""`atelier up` with a program that sleeps in the place of all servers; with HANGS it is never ready."""


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Put the handlers of the test run back afterwards."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_the_first_signal_asks_and_the_second_one_hurries() -> None:
    hurry = threading.Event()
    asked = threading.Event()
    EndingSignal(asked, hurry)
    signal.raise_signal(signal.SIGTERM)
    assert asked.wait(10)
    assert not hurry.is_set()
    signal.raise_signal(signal.SIGINT)
    assert hurry.wait(10)


def test_a_signal_may_interrupt_what_holds_the_events_lock() -> None:
    """As the wait for the event itself does for a moment, in the main thread."""
    asked = threading.Event()
    EndingSignal(asked, threading.Event())
    with asked._cond:
        signal.raise_signal(signal.SIGTERM)
    assert asked.wait(10)


def test_only_the_first_signal_interrupts() -> None:
    hurry = threading.Event()
    EndingSignal(threading.Event(), hurry, interrupt=True)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGINT)
    assert hurry.wait(10)


@pytest.fixture
def start(tmp_path):
    """A function that starts `up` with one service, and returns the process and its first line."""
    processes = []

    def start(*options, **environment):
        process = subprocess.Popen(
            [sys.executable, "-c", ONE_SERVICE, "--data", str(tmp_path), *options],
            env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        processes.append(process)
        return process, process.stdout.readline()

    yield start
    for process in processes:
        process.kill()
        process.wait()


@pytest.mark.long
def test_without_a_reader_it_restarts_its_parts_and_ends_well(start):
    process, line = start()
    assert b"Atelier is ready" in line
    process.stdout.close()
    for _ in range(2):
        (part,) = descendants(process.pid)
        os.kill(part, signal.SIGKILL)
        until(lambda part=part: descendants(process.pid) - {part}, what="a new part")
    process.send_signal(signal.SIGTERM)
    assert 0 == process.wait(10)


@pytest.mark.long
def test_a_signal_ends_a_start_that_does_not_get_on(start):
    process, line = start("--dev", "--host", "0.0.0.0", HANGS="1")
    assert line.startswith(b"atelier: warning: with --dev and --host 0.0.0.0 other machines reach this API")
    assert b"starting\n" == process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=10)
    assert 0 == process.returncode
    assert output.endswith(b"atelier: stopped\n")


@pytest.mark.parametrize(
    ("dev", "host", "is_warned"), [(True, "0.0.0.0", True), (True, "127.0.0.1", False), (False, "0.0.0.0", False)]
)
def test_a_loopback_that_other_machines_reach_is_warned_of(dev: bool, host: str, is_warned: bool) -> None:
    said = up.exposure(Address(host, 8000), opens_loopback=dev)
    assert is_warned == (f"with --dev and --host {host} other machines reach this API" in said)


@pytest.mark.parametrize("command", ["up", "api"])
def test_a_port_that_there_is_not_is_refused(command: str) -> None:
    outcome = CliRunner().invoke(atelier, [command, "--port", "99999"])
    assert 2 == outcome.exit_code
    assert "0<=x<=65535" in outcome.output


@pytest.mark.parametrize(("is_ready", "said"), [(True, "Atelier is ready at"), (False, "Atelier is going to be at")])
def test_it_says_ready_once_it_is(is_ready: bool, said: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    stack = Stack(DataDirectory(tmp_path), Address("127.0.0.1", 1), print)
    with StatusPrinter() as printer:
        up._print_welcome(printer, stack, is_ready=is_ready)
    assert said in capfd.readouterr().out


@pytest.mark.parametrize("is_new", [True, False])
def test_a_new_key_is_shown_with_its_place(is_new: bool, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    stack = Stack(DataDirectory(tmp_path), Address("127.0.0.1", 1), print)
    stack.new_key, stack.admin_key = is_new, "atl_new"
    with StatusPrinter() as printer:
        up._print_welcome(printer, stack, is_ready=False)
    shown = ": atl_new" if is_new else ""
    assert f"The admin key is kept in {tmp_path}/admin.key{shown}\n" in capfd.readouterr().out


@pytest.mark.parametrize(("console", "pages"), [(True, "(console: {}/console, API"), (False, "(API")])
def test_it_names_the_pages_that_there_are(
    console: bool, pages: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(up, "read_settings", lambda: msgspec.structs.replace(read_settings(), console=console))
    stack = Stack(DataDirectory(tmp_path), Address("127.0.0.1", 1), print)
    with StatusPrinter() as printer:
        up._print_welcome(printer, stack, is_ready=False)
    assert f"{pages.format('http://127.0.0.1:1')} documentation: http://127.0.0.1:1/schema)" in capfd.readouterr().out
