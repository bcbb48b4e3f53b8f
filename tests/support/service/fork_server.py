"""Processes of tests that start as copies of a process with their libraries already imported.

The imports of an API, a worker or an engine take 1 to 13 seconds of a core, each time. `fork_server(...)` starts
`python -m tests.support.service.fork_server`, which imports all of it once. Its `spawn` stands in for
`core.processes.spawn`, and what it starts is a child of the caller just so: the server forks twice, and orphans come to
the caller, a "subreaper". Death signals, exit codes and process trees are those of production. A GPU worker starts its
engine and its encoder alike, from a copy of itself that it left behind before it had threads. A CPU worker starts its
decoders with their first file.

`tests/integration/cli/commands/host/test_up.py` starts every kind of process as production does.
"""

import atexit
import ctypes
import fcntl
import gc
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import IO, Any, NoReturn

from core import processes
from pipelines.runtime import torchaudio_stub
from tests.support.paths import ROOT

PROCESSES = (
    *("api.serve", "cli.main", "cli.commands.host.worker", "workers.gpu.main", "workers.cpu.main"),
    *("workers.engine.engine", "workers.engine.encoder", "tests.support.faults.chaos"),
    *("pipelines.image.encode", "pipelines.video.encode", "pipelines.mesh.encode", "pipelines.speech.encode"),
    "pipelines.sound.encode",
)
MODELS = (
    *PROCESSES,
    *("pipelines.image.diffusers_image", "pipelines.video.diffusers_video", "pipelines.video.camera"),
    *("pipelines.mesh.triposg.family", "pipelines.mesh.relief", "pipelines.speech.chatterbox.family"),
)
"""With the families too; without onnxruntime, which starts a thread when it is imported."""

PR_SET_CHILD_SUBREAPER = 36
START_SECONDS = 240.0
REQUEST_BYTES = 1 << 18
FIRST_FREE = 300
"""Number from which a fork puts descriptors aside, until they get the numbers that were asked for."""

Stream = int | IO[bytes] | None


class ForkServer:
    """The caller's side of a server: it starts processes that have imported the server's modules."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        _prctl(PR_SET_CHILD_SUBREAPER, 1)

    def spawn(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        name: str,
        cwd: str | Path | None = None,
        stdin: Stream = subprocess.DEVNULL,
        stdout: Stream = None,
        stderr: Stream = None,
        pass_fds: Collection[int] = (),
    ) -> "Forked":
        """Start `python -m MODULE ...` or `python -c CODE ...` as `core.processes.spawn` does."""
        assert argv[1] in ("-m", "-c"), f"{name}: {argv}"
        return Forked(
            self, argv, env=dict(env), cwd=cwd, stdin=stdin, stdout=stdout, stderr=stderr, pass_fds=tuple(pass_fds)
        )

    def fork(self, argv: Sequence[str], env: Mapping[str, str], cwd: str, descriptors: Mapping[int, int]) -> int:
        """Start a process with these descriptors, our number by its own, and return its id."""
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                request = {"argv": list(argv), "env": dict(env), "cwd": cwd, "numbers": list(descriptors)}
                socket.send_fds(self._channel, [json.dumps(request).encode()], [theirs.fileno(), *descriptors.values()])
            pid = ours.recv(20)
        if not pid:
            raise ChildProcessError(f"the fork server did not start {argv}")
        return int(pid)


class Forked(subprocess.Popen[bytes]):
    """A process that the server forked and that is a child of this one like any other."""

    def __init__(self, server: ForkServer, argv: Sequence[str], **how: Any) -> None:
        self._server = server
        super().__init__(argv, **how)

    def _execute_child(self, args: Sequence[str], *how: Any) -> None:
        """Ask the server where `Popen` would fork; the places in `how` are those of Python 3.11."""
        pass_fds, cwd, env, handles = how[3], how[4], how[5], how[9:15]
        inputs, _, _, output, _, errors = handles
        streams = {0: inputs, 1: output, 2: errors}
        streams = {number: given if given != -1 else number for number, given in streams.items()}
        try:
            streams |= {number: number for number in pass_fds}
            self.pid = self._server.fork(args, env, str(cwd or Path.cwd()), streams)
            self._child_created = True
        finally:
            self._close_pipe_fds(*handles)  # type: ignore[attr-defined]


@cache
def fork_server(modules: tuple[str, ...] = PROCESSES) -> ForkServer:
    """Return the server of this process that has imported these modules; it ends with this process."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        processes.spawn(
            [sys.executable, "-m", __name__, str(theirs.fileno()), *modules, " " * 400],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            name="fork server",
            pass_fds=[theirs.fileno()],
        )
    ours.settimeout(START_SECONDS)
    assert ours.recv(10) == b"ready", "the fork server did not start"
    ours.settimeout(None)
    return ForkServer(ours)


def serve(channel: socket.socket) -> None:
    """Fork on request until the parent is gone; returns never, except that a fork leaves with `SystemExit`."""
    reaper = os.getppid()
    while True:
        request, descriptors, _, _ = socket.recv_fds(channel, REQUEST_BYTES, 32)
        if not request:
            os._exit(0)
        between = os.fork()
        if between == 0:
            if os.fork():
                os._exit(0)
            channel.close()
            _become(json.loads(request), descriptors, reaper)
        os.waitpid(between, 0)
        for descriptor in descriptors:
            os.close(descriptor)


def _become(request: dict[str, Any], descriptors: list[int], reaper: int) -> NoReturn:
    """In the fork: be what was asked for, as a child of `reaper` that dies with it."""
    os.setsid()
    deadline = time.monotonic() + 10
    while os.getppid() != reaper:
        if time.monotonic() > deadline:
            os._exit(1)
        time.sleep(0.0005)
    processes.die_with_parent()
    if os.getppid() != reaper:
        os._exit(1)
    reply = _arrange(descriptors, request["numbers"])
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    argv: list[str] = request["argv"]
    _show_command(argv)
    if "gpu" in argv:
        _leave_a_copy_behind()
    with socket.socket(fileno=reply) as answer:
        answer.send(str(os.getpid()).encode())
    try:
        _run(argv)
    except SystemExit as end:
        if end.code is not None and not isinstance(end.code, int):
            raise
        _end(end.code or 0)
    _end(0)


def _arrange(descriptors: list[int], numbers: list[int]) -> int:
    """Give the descriptors their numbers and close every other one; returns that of the reply."""
    reply, *files = (fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, FIRST_FREE) for descriptor in descriptors)
    os.closerange(0, FIRST_FREE)
    for aside, number in zip(files, numbers, strict=True):
        os.dup2(aside, number)
        os.close(aside)
    return reply


def _leave_a_copy_behind() -> None:
    """Have the children of a GPU worker forked from a copy of it as it is now, with one thread."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        ours.close()
        processes.die_with_parent()
        _show_command(["fork server of the worker"])
        serve(theirs)
    theirs.close()
    child_launcher = import_module("workers.ipc.child_launcher")
    child_launcher.spawn = ForkServer(ours).spawn  # type: ignore[attr-defined]


def _run(argv: list[str]) -> None:
    _, kind, what, *rest = argv
    sys.argv = [kind, *rest]
    if kind == "-m":
        sys.modules.pop(what, None)  # imported ahead; now it runs as the main module
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        main = sys.modules["__main__"] = ModuleType("__main__")
        exec(compile(what, "<string>", "exec"), main.__dict__)  # noqa: S102 - as `python -c` does


def _end(status: int) -> NoReturn:
    """End as Python does, but free no module: it would copy all that was imported, for 0.2 s of a core."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


def _show_command(argv: Sequence[str]) -> None:
    """Let /proc say these words; the server was started with a long last word to make room for them."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = int(fields[45]), int(fields[46])
    words = "\0".join(argv).encode()[: end - start - 1]
    ctypes.memmove(start, words.ljust(end - start, b"\0"), end - start)


def _prctl(option: int, value: int) -> None:
    assert ctypes.CDLL(None).prctl(option, ctypes.c_ulong(value), 0, 0, 0) == 0


def main(fd: int, modules: Sequence[str]) -> None:
    gc.disable()  # a look for garbage amid imports finds little
    torchaudio_stub.install()
    for module in modules:
        import_module(module)
    if "workers.cpu.main" in modules:
        import_module("tests.support.service.decoders_on_demand").start_decoders_on_demand()
    gc.collect()
    gc.freeze()  # otherwise a collection in each fork would copy all of it
    gc.enable()
    assert len(os.listdir("/proc/self/task")) == 1, "a library that was imported has threads, which no fork would have"
    signal.signal(signal.SIGINT, signal.default_int_handler)
    channel = socket.socket(fileno=fd)
    channel.send(b"ready")
    serve(channel)


if __name__ == "__main__":
    main(int(sys.argv[1]), [word for word in sys.argv[2:] if word.strip()])
