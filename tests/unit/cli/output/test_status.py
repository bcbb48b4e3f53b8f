"""Output whose reader left or takes nothing, through real pipes."""

import fcntl
import os
import subprocess
import sys
from contextlib import contextmanager

import pytest
from rich.progress import Progress

from cli.output import status as module
from cli.output.status import StatusPrinter, lossy, print_line, status_console
from cli.weights.byte_bars import ByteBars


@contextmanager
def pipe(monkeypatch, name="stderr"):
    """A pipe in the place of a standard stream; yields its reading end."""
    reading, writing = os.pipe()
    with open(writing, "w") as stream, open(reading, "rb", buffering=0) as reader:
        monkeypatch.setattr(sys, name, stream)
        yield reader
        monkeypatch.undo()


@pytest.fixture
def lost():
    """A stream of text whose reader has gone."""
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w") as stream:
        yield lossy(stream)


def test_lines_are_written_in_order_by_the_end_of_the_block(monkeypatch):
    with pipe(monkeypatch) as reader:
        with StatusPrinter() as printer:
            for number in range(3):
                printer.print_status(f"line {number}")
        assert b"atelier: line 0\natelier: line 1\natelier: line 2\n" == reader.read(1000)


def test_results_go_to_standard_output(monkeypatch):
    with pipe(monkeypatch, "stdout") as reader:
        with StatusPrinter() as printer:
            printer.print_result("ready")
        assert b"ready\n" == reader.read(1000)


def test_a_reader_that_left_raises_nothing(monkeypatch):
    with pipe(monkeypatch) as reader, StatusPrinter() as printer:
        reader.close()
        printer.print_status("nothing reads this")
        printer.flush()
        printer.print_status("nor this")


def test_a_reader_that_takes_nothing_holds_nothing_up(monkeypatch):
    monkeypatch.setattr(module, "MOST_LINES", 2)
    with pipe(monkeypatch) as reader:
        fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)
        printer = StatusPrinter()
        for _ in range(8):
            printer.print_status("x" * 4000)
        printer.flush(0.05)
        assert b"atelier: xxx" == reader.read(12)


def test_a_stream_that_was_closed_before_the_start_is_left_out(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    with StatusPrinter() as printer:
        printer.print_status("nowhere")


def test_lines_and_bars_do_without_standard_streams(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    print_line("nowhere")
    with Progress(console=status_console()) as progress:
        ByteBars(progress, 10).begin("file", 10)


def test_a_lost_stream_is_written_without_an_error(lost):
    for _ in range(3):
        assert 9000 == lost.write("x" * 9000)
        lost.flush()


def test_bars_of_a_lost_terminal_do_not_fail_their_file(lost):
    console = status_console(lost)
    console._force_terminal = True
    with Progress(console=console) as progress:
        bars = ByteBars(progress, 10)
        bars.begin("file", 10)
        bars.advance("file", 10)
        bars.end("file")


def test_a_command_that_loses_its_output_still_succeeds():
    """Python itself fails a process whose last flush fails."""
    script = "from cli.output.status import print_line\nfor _ in range(3): print_line('x' * 9000)"
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    child.stdout.close()
    assert b"" == child.stderr.read()
    assert 0 == child.wait()
