"""Restarts and ordered stops of services, with real processes."""

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
    """A service that runs a shell script."""

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
def start_service(tmp_path):
    """A function that starts services; they are killed after the test."""
    shells = []

    def start(name: str, script: str) -> Shell:
        shell = Shell(name, script, tmp_path / f"{name}.log")
        shells.append(shell)
        shell.start()
        return shell

    yield start
    for shell in shells:
        if shell.process.poll() is None:
            os.killpg(shell.process.pid, signal.SIGKILL)
        shell.process.wait()


@pytest.fixture
def supervise(monkeypatch):
    """A function that supervises services with short pauses; it returns the messages."""
    monkeypatch.setattr(module, "WATCH_SECONDS", 0.01)
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.02)
    running = []

    def watch(*services):
        messages = []
        supervisor = ProcessSupervisor(services, messages.append)
        supervisor.start()
        running.append(supervisor)
        return messages

    yield watch
    for supervisor in running:
        supervisor.stop()


def test_an_ended_service_is_restarted_and_its_log_is_shown(start_service, supervise):
    shell = start_service("api", "echo the reason; exit 3")
    messages = supervise(shell)
    until(lambda: shell.starts >= 3, what="two restarts")
    assert "api ended with status 3; restarting it in 0.02 s" in messages[0]
    assert messages[0].endswith("the reason")
    assert "restarting it in 0.04 s" in messages[1]


def test_a_running_service_is_not_restarted(start_service, supervise):
    steady = start_service("steady", "sleep 1000")
    failing = start_service("failing", "exit 1")
    supervise(steady, failing)
    until(lambda: failing.starts >= 2, what="a restart")
    assert 1 == steady.starts


def test_the_pause_is_short_again_after_a_steady_run(start_service, supervise, monkeypatch):
    monkeypatch.setattr(module, "STEADY_SECONDS", -1.0)
    shell = start_service("api", "exit 1")
    messages = supervise(shell)
    until(lambda: len(messages) >= 3, what="three endings")
    assert all("restarting it in 0.02 s" in message for message in messages)


def test_a_start_that_failed_is_repeated(start_service, supervise):
    shell = start_service("postgres", "exit 1")
    first_start, failures = shell.start, iter([ServerFailed("no disk")])

    def start():
        for failure in failures:
            raise failure
        first_start()

    shell.start = start
    messages = supervise(shell)
    until(lambda: shell.starts >= 2, what="a start that works")
    assert "postgres did not start: no disk" in messages[1]


def test_whatever_a_start_raises_it_is_repeated(start_service, supervise):
    shell = start_service("postgres", "exit 1")
    first_start, failures = shell.start, iter([RuntimeError("can't start new thread"), ValueError("odd")])

    def start():
        for failure in failures:
            raise failure
        first_start()

    shell.start = start
    supervise(shell)
    until(lambda: shell.starts >= 2, what="a start that works")


def test_services_that_ignore_sigterm_are_killed(start_service):
    polite = start_service("polite", "trap 'kill %1; exit 0' TERM; echo ready; while :; do sleep 1000 & wait; done")
    stubborn = start_service("stubborn", IGNORES_TERM)
    for shell in (polite, stubborn):
        until(lambda shell=shell: "ready" in shell.log.read_text(), what="the trap")
    assert ["stubborn"] == stop_all([polite, stubborn], 0.3, threading.Event())
    assert 0 == polite.process.returncode
    assert -signal.SIGKILL == stubborn.process.returncode


def test_hurry_ends_the_wait(start_service):
    stubborn = start_service("stubborn", IGNORES_TERM)
    until(lambda: "ready" in stubborn.log.read_text(), what="the trap")
    hurry = threading.Event()
    threading.Timer(0.1, hurry.set).start()
    started = time.monotonic()
    assert ["stubborn"] == stop_all([stubborn], 60, hurry)
    assert time.monotonic() - started < 5
    assert not alive(stubborn.process.pid)


def test_a_service_that_never_ran_needs_no_stop(tmp_path):
    assert [] == stop_all([Shell("idle", "", tmp_path / "log")], 1, threading.Event())
