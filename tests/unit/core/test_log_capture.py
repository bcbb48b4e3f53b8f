"""What is printed, and what a child writes, among JSON lines."""

import errno
import io
import logging
import os
import subprocess
import sys
import threading

import msgspec
import pytest

from core.log_capture import LoggedStream, as_object, child_output
from core.logs import PropagatingLogger, json_lines

CHILD = """
import ctypes, faulthandler, os, sys, threading, warnings
from core.logs import start_logs
from core.settings import Settings
start_logs(Settings(log_format="json"), "cpu")
print("printed")
print("half", end="")
print(" and half")
print("to stderr", file=sys.stderr)
print("10 %\\r20 %\\r", end="", file=sys.stderr)
warnings.warn("warned")
thread = threading.Thread(target=lambda: 1 / 0, name="divider")
thread.start()
thread.join()
raise ValueError("the end")
"""

PARENT = """
import subprocess, sys
from core.log_capture import child_output
from core.logs import json_lines
script = "import os; print('out', flush=True); os.write(2, b'x' * 70000 + bytes([10])); os.abort()"
with child_output("the child", json_lines("engine")) as output:
    child = subprocess.Popen([sys.executable, "-X", "faulthandler", "-c", script], stdout=output, stderr=output)
child.wait()
import threading
for thread in threading.enumerate():
    if thread.name == "output of the child":
        thread.join()
"""


def lines_of(script: str, **environment: str) -> list[dict]:
    outcome = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert "" == outcome.stdout
    return [msgspec.json.decode(line) for line in outcome.stderr.splitlines()]


def test_every_line_of_a_process_is_an_object():
    lines = lines_of(CHILD)
    printed = [line["message"] for line in lines if line["logger"] == "printed"]
    assert ["printed", "half and half", "to stderr", "10 %", "20 %"] == printed
    assert {"cpu"} == {line["process"] for line in lines}
    assert "warned" in next(line for line in lines if line["logger"] == "py.warnings")["message"]
    of_thread, at_the_end = (line for line in lines if line["level"] == "CRITICAL")
    assert "uncaught: ZeroDivisionError in thread divider" == of_thread["message"]
    assert at_the_end["exc_info"].endswith("ValueError: the end")


def test_every_line_of_a_crashed_child_is_an_object():
    lines = lines_of(PARENT, ATELIER_LOG_FORMAT="json")
    messages = [line["message"] for line in lines]
    assert "out" == messages[0]
    assert 70_000 == sum(message.count("x") for message in messages if set(message) == {"x"})
    assert any(message.startswith("Fatal Python error: Aborted") for message in messages)
    assert {"engine"} == {line["process"] for line in lines}


def test_a_child_has_its_parents_streams_where_logs_are_text():
    script = PARENT.replace("os.write(2, b'x' * 70000 + bytes([10])); os.abort()", "")
    outcome = subprocess.run([sys.executable, "-c", script], env={}, capture_output=True, text=True, check=True)
    assert ("out\n", "") == (outcome.stdout, outcome.stderr)


def test_a_line_that_cannot_be_written_ends_no_capture(monkeypatch):
    written, write = [], os.write

    def fill(descriptor, data):
        if descriptor != 2:
            return write(descriptor, data)
        written.append(msgspec.json.decode(data)["message"])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setenv("ATELIER_LOG_FORMAT", "json")
    monkeypatch.setattr(os, "write", fill)
    with child_output("a full disk", json_lines("engine")) as output:
        write(output, b"one\ntwo\n")
    for thread in threading.enumerate():
        if thread.name == "output of a full disk":
            thread.join(10)
    assert ["one", "two"] == written


@pytest.mark.parametrize("line", [b"null", b"[1]", b"1", b'{"a":', b"\xff", b'"text"'])
def test_only_objects_stay_as_they_are(line):
    made = msgspec.json.decode(as_object(line, json_lines("engine")))
    assert line.decode(errors="backslashreplace") == made["message"]
    assert b'{"a": 1}' == as_object(b'{"a": 1}', json_lines("engine"))


def test_a_handler_that_fails_does_not_log_its_failure_for_ever(monkeypatch):
    stream = LoggedStream(2)

    def fail(record):
        stream.write("the handler failed\n")

    logger = logging.getLogger("printed")
    handler = logging.Handler()
    monkeypatch.setattr(handler, "emit", fail)
    logger.addHandler(handler)
    try:
        assert 5 == stream.write("text\n")
    finally:
        logger.removeHandler(handler)


def test_threads_whose_handler_fails_do_not_wait_on_another(monkeypatch):
    stream, failing, printing = LoggedStream(2), threading.Event(), threading.Event()
    logger, handler = logging.getLogger("printed"), logging.Handler()

    def emit(record):  # with the handler's lock
        if record.getMessage() == "logged":
            failing.set()
            assert printing.wait(10)
            stream.write("the handler failed\n")

    def log_a_line():
        logger.warning("logged")

    def print_a_line():
        assert failing.wait(10)
        stream.write("printed\n")

    def note(record):  # before its lock is asked for
        if record.getMessage() == "printed":
            printing.set()
        return True

    monkeypatch.setattr(handler, "emit", emit)
    handler.addFilter(note)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    threads = [threading.Thread(target=one, daemon=True) for one in (log_a_line, print_a_line)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert [False, False] == [thread.is_alive() for thread in threads]
    finally:
        logger.setLevel(logging.NOTSET)
        logger.removeHandler(handler)


@pytest.mark.parametrize("level", ["WARNING", "ERROR"])
def test_prints_are_there_at_every_level(level):
    script = CHILD.replace('log_format="json"', f'log_format="json", log_level="{level}"')
    printed = [line["message"] for line in lines_of(script) if line["logger"] == "printed"]
    assert ["printed", "half and half", "to stderr", "10 %", "20 %"] == printed


def test_a_line_without_an_end_is_logged_before_it_is_large(caplog):
    stream = LoggedStream(2)
    with caplog.at_level(logging.INFO, "printed"):
        for _ in range(3):
            stream.write("." * 40_000)
    assert [80_000] == [len(record.message) for record in caplog.records]


def test_the_records_of_a_library_go_to_the_root():
    logger = PropagatingLogger("library")
    logger.parent = logging.Logger("root")
    stream = io.StringIO()
    logger.parent.addHandler(logging.StreamHandler(stream))
    logger.addHandler(logging.StreamHandler(io.StringIO()))
    logger.propagate = False
    logger.warning("kept")
    assert "kept\n" == stream.getvalue()
    assert [] == logger.handlers
