"""Restarting what ends, and stopping in time; with real processes."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from cli.embedded.server import ServerFailed
from cli.stack import process_supervisor as module
from cli.stack.process_supervisor import ProcessSupervisor, stop_all
from core.processes import spawn
from tests.support.service.processes import alive
from tests.support.wait import until

IGNORES_TERM = "trap '' TERM; echo ready; while :; do sleep 1000 & wait; done"


class Shell:
    """A part that runs a shell script."""

    def __init__(self, name: str, script: str, log: Path) -> None:
        self.name = name
        self.log = log
        self.process = None
        self.starts = 0
        self._script = script

    def start(self) -> None:
        self.starts += 1
        with self.log.open("ab") as log:
            environment = {"PATH": os.environ["PATH"]}
            argv = ["bash", "-c", self._script]
            self.process = spawn(argv, env=environment, name=self.name, stdout=log, stderr=log)

    def ask_to_stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)


@pytest.fixture
def part(tmp_path):
    """Makes parts and ends them."""
    made = []

    def make(name: str, script: str) -> Shell:
        shell = Shell(name, script, tmp_path / f"{name}.log")
        made.append(shell)
        shell.start()
        return shell

    yield make
    for shell in made:
        if shell.process.poll() is None:
            os.killpg(shell.process.pid, signal.SIGKILL)
        shell.process.wait()


@pytest.fixture
def watched(monkeypatch):
    """Starts a quick supervisor over parts; what it said."""
    monkeypatch.setattr(module, "WATCH_SECONDS", 0.01)
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.02)
    running = []

    def watch(*parts):
        said = []
        supervisor = ProcessSupervisor(parts, said.append)
        supervisor.start()
        running.append(supervisor)
        return said

    yield watch
    for supervisor in running:
        supervisor.stop()


def test_a_part_that_ends_is_started_again_and_its_last_words_are_told(part, watched):
    shell = part("api", "echo the reason; exit 3")
    said = watched(shell)
    until(lambda: shell.starts >= 3, what="two restarts")
    assert "api ended with status 3; starting it again in 0.02 s" in said[0]
    assert said[0].endswith("the reason")
    assert "starting it again in 0.04 s" in said[1]


def test_other_parts_are_left_alone(part, watched):
    steady = part("steady", "sleep 1000")
    failing = part("failing", "exit 1")
    watched(steady, failing)
    until(lambda: failing.starts >= 2, what="a restart")
    assert 1 == steady.starts


def test_the_pause_is_short_again_after_a_steady_time(part, watched, monkeypatch):
    monkeypatch.setattr(module, "STEADY_SECONDS", -1.0)
    shell = part("api", "exit 1")
    said = watched(shell)
    until(lambda: len(said) >= 3, what="three endings")
    assert all("again in 0.02 s" in words for words in said)


def test_a_part_that_can_not_be_started_is_tried_again(part, watched):
    shell = part("postgres", "exit 1")
    first_start, failures = shell.start, iter([ServerFailed("no disk")])

    def start():
        for failure in failures:
            raise failure
        first_start()

    shell.start = start
    said = watched(shell)
    until(lambda: shell.starts >= 2, what="a start that works")
    assert "postgres did not start: no disk" in said[1]


def test_stopping_waits_for_those_who_listen_and_kills_the_rest(part):
    polite = part("polite", "trap 'kill %1; exit 0' TERM; echo ready; while :; do sleep 1000 & wait; done")
    stubborn = part("stubborn", IGNORES_TERM)
    for shell in (polite, stubborn):
        until(lambda shell=shell: "ready" in shell.log.read_text(), what="the trap")
    assert ["stubborn"] == stop_all([polite, stubborn], 0.3, threading.Event())
    assert 0 == polite.process.returncode
    assert -signal.SIGKILL == stubborn.process.returncode


def test_hurry_cuts_the_wait_short(part):
    stubborn = part("stubborn", IGNORES_TERM)
    until(lambda: "ready" in stubborn.log.read_text(), what="the trap")
    hurry = threading.Event()
    threading.Timer(0.1, hurry.set).start()
    started = time.monotonic()
    assert ["stubborn"] == stop_all([stubborn], 60, hurry)
    assert time.monotonic() - started < 5
    assert not alive(stubborn.process.pid)


def test_a_part_that_never_ran_is_nothing_to_stop(tmp_path):
    assert [] == stop_all([Shell("idle", "", tmp_path / "log")], 1, threading.Event())
