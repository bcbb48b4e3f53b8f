"""The handle on a child: which start it refuses, and a process that cannot be killed; with made-up processes."""

import os
import signal
import socket
import subprocess
from collections.abc import Callable

import pytest

from core import processes
from pipelines.catalog.spec import Deadlines
from pipelines.weights.hash_cache import FileIdentity, HashedFile
from workers.ipc import child_launcher
from workers.ipc.channel import Channel
from workers.ipc.child_process import ChildProcess, ChildProcessDied, StageOverran
from workers.ipc.messages import AnyMessage, Begin, HashedFiles, NotReady, Ready, Sweep, SweepDone


class FakeProcess:
    """A process that sends `first` over its channel, and ends when it is killed, if it can be."""

    def __init__(self, first: AnyMessage, fd: int, *, can_die: bool) -> None:
        self.pid = 4711
        self.calls: list[object] = []
        self._can_die = can_die
        self._status: int | None = None
        self.channel = Channel(socket.socket(fileno=os.dup(fd)))
        self.channel.send(first)

    def poll(self) -> int | None:
        return self._status

    def kill(self) -> None:
        self.calls.append("kill")
        if self._can_die:
            self._status = -9

    def send_signal(self, number: int) -> None:
        self.calls.append(number)

    def wait(self, timeout: float | None = None) -> int:
        self.calls.append(timeout)
        assert timeout is not None, "a wait without an end"
        if self._status is None:
            raise subprocess.TimeoutExpired("engine", timeout)
        return self._status


Start = Callable[..., list[FakeProcess]]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Start:
    """Have the next processes send these messages first; returns the processes as they are started."""

    def prepare(*first: AnyMessage, can_die: bool = True) -> list[FakeProcess]:
        started: list[FakeProcess] = []
        messages = iter(first)

        def spawn(argv: object, *, pass_fds: list[int], **_: object) -> FakeProcess:
            started.append(FakeProcess(next(messages), pass_fds[0], can_die=can_die))
            return started[-1]

        monkeypatch.setattr(child_launcher, "spawn", spawn)
        return started

    return prepare


def test_a_process_without_a_device_says_why(script: Start) -> None:
    script(NotReady(reason="torch cannot use cuda:0: its driver is older than r580."))
    engine = ChildProcess("workers.engine.engine")
    with pytest.raises(ChildProcessDied, match=r"the engine did not start: .* older than r580"):
        engine.start()
    assert "older than r580" in engine.defect
    assert engine.pid is None


def test_a_process_on_another_device_is_refused(script: Start) -> None:
    losses: list[str] = []
    started = script(Ready(device="cuda:0"), Ready(device="cpu"))
    engine = ChildProcess("workers.engine.engine", on_loss=losses.append)
    assert "cuda:0" == engine.start().device
    engine.kill("fault")
    with pytest.raises(ChildProcessDied, match="on cpu instead of cuda:0"):
        engine.start()
    assert "kill" in started[1].calls
    assert ("cuda:0", None, ["fault", "fault"]) == (engine.ready.device, engine.pid, losses)
    with pytest.raises(ChildProcessDied):
        engine.start()
    assert 2 == len(started)


def test_a_process_on_the_same_device_is_taken(script: Start) -> None:
    started = script(Ready(device="cuda:0"), Ready(device="cuda:0"))
    engine = ChildProcess("workers.engine.engine")
    engine.start()
    engine.recycle()
    assert (2, "") == (len(started), engine.defect)


def test_a_process_that_cannot_be_killed_frees_its_caller(script: Start) -> None:
    started = script(Ready(device="cuda:0"), can_die=False)
    engine = ChildProcess("workers.engine.engine")
    with pytest.raises(StageOverran):
        engine.request(Sweep(ticket="ord_1"), Deadlines(load=0.01))
    assert ["kill", processes.KILL_SECONDS] == started[0].calls
    assert "4711" in engine.defect
    assert engine.pid is None
    with pytest.raises(ChildProcessDied, match="cannot be killed"):
        engine.request(Sweep(ticket="ord_2"), Deadlines())
    assert 1 == len(started)


def test_a_stop_does_not_wait_for_ever(script: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[int] = []
    monkeypatch.setattr(processes.os, "killpg", lambda group, number: killed.append(group))
    script(Ready(device="cuda:0"), can_die=False)
    engine = ChildProcess("workers.engine.engine")
    engine.start()
    engine.stop(grace_seconds=0.01)
    assert [4711] == killed
    assert "cannot be killed" in engine.defect


def test_a_stop_in_the_midst_of_a_start_ends_the_process(script: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    def launch_and_stop() -> child_launcher.LaunchedChild:
        launched = launch()
        engine.stop(grace_seconds=0.01)
        return launched

    started = script(Ready(), Ready())
    engine = ChildProcess("workers.engine.engine")
    launch = engine._launcher.launch
    monkeypatch.setattr(engine._launcher, "launch", launch_and_stop)
    for _ in range(2):
        with pytest.raises(ChildProcessDied, match="was stopped"):
            engine.start()
    assert [["kill"]] == [one.calls[:1] for one in started]
    assert engine.pid is None


def test_what_one_engine_hashed_is_given_to_the_next(script: Start) -> None:
    started = script(Ready(), Ready())
    engine = ChildProcess("workers.engine.engine")
    engine.start()
    files = tuple(HashedFile(FileIdentity(path, 1, 2, 3, 4, 5), "0" * 64) for path in ("/w/a", "/w/b"))
    for file in files:
        started[0].channel.send(HashedFiles(files=(file,)))
    started[0].channel.send(SweepDone(ticket="ord_1"))
    assert SweepDone(ticket="ord_1") == engine.request(Sweep(ticket="ord_1"), Deadlines())
    assert [Begin(), Sweep(ticket="ord_1")] == [started[0].channel.receive(1) for _ in range(2)]

    engine.recycle()
    assert Begin() == started[1].channel.receive(1)
    assert HashedFiles(files=files) == started[1].channel.receive(1)


class TestSpare:
    """A second process takes over when the first one has died."""

    @pytest.fixture
    def losses(self) -> list[str]:
        return []

    @pytest.fixture
    def engine(self, losses: list[str]) -> ChildProcess:
        return ChildProcess("workers.engine.engine", on_loss=losses.append)

    def test_it_begins_when_the_first_one_is_gone(self, script: Start, engine: ChildProcess) -> None:
        started = script(Ready(), Ready())
        engine.start()
        assert not engine.has_spare
        engine.keep_spare()
        engine.keep_spare()
        assert engine.has_spare
        assert 2 == len(started)
        assert not started[1].channel.has_received()

        started[0].kill()
        engine.start()
        assert Begin() == started[1].channel.receive(1)
        assert (2, False) == (len(started), engine.has_spare)

    def test_one_that_died_is_replaced(self, script: Start, engine: ChildProcess) -> None:
        started = script(Ready(), Ready(), Ready())
        engine.start()
        engine.keep_spare()
        started[1].kill()
        assert not engine.has_spare
        engine.recycle()
        assert 3 == len(started)
        assert Begin() == started[2].channel.receive(1)

    def test_there_is_none_for_an_engine_that_never_started(self, script: Start, engine: ChildProcess) -> None:
        started = script(Ready())
        engine.keep_spare()
        assert [] == started

    def test_it_ends_with_its_engine(self, script: Start, engine: ChildProcess, losses: list[str]) -> None:
        started = script(Ready(), Ready())
        engine.start()
        engine.keep_spare()
        for process in started:
            process.kill()
        engine.stop(grace_seconds=0.01)
        assert [signal.SIGTERM, 0.01] == started[1].calls[1:]
        assert not engine.has_spare
        engine.keep_spare()
        assert (2, []) == (len(started), losses)

    def test_none_is_started_after_a_stop(self, script: Start) -> None:
        started = script(Ready())
        launcher = child_launcher.ChildLauncher("workers.engine.engine")
        launcher.stop(grace_seconds=0.01)
        launcher.keep_spare()
        assert ([], False) == (started, launcher.has_spare)

    def test_it_is_held_to_the_first_ones_device(self, script: Start, engine: ChildProcess) -> None:
        script(Ready(device="cuda:0"), Ready(device="cpu"))
        engine.start()
        engine.keep_spare()
        with pytest.raises(ChildProcessDied, match="on cpu instead of cuda:0"):
            engine.recycle()


def test_settings_of_allocator_and_compilers_are_kept() -> None:
    kept = {
        "PYTORCH_ALLOC_CONF": "max_split_size_mb:512",
        "PYTORCH_CUDA_ALLOC_CONF": "backend:cudaMallocAsync",
        "CUDA_CACHE_PATH": "/cache",
        "CUDA_MODULE_LOADING": "EAGER",
        "TORCHINDUCTOR_FX_GRAPH_CACHE": "1",
        "TRITON_CACHE_DIR": "/cache/triton",
        "CC": "clang",
    }
    secrets = {"ATELIER_DATABASE_URL": "postgresql://", "AWS_SECRET_ACCESS_KEY": "x", "HF_TOKEN": "x", "HOST": "x"}
    assert kept == child_launcher._allowed(kept | secrets)
