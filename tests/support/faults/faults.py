"""The fault kit: what can be done to a process, a disk and a clock; `servers/proxy.py` does it to a network."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.processes import Process
from tests.support.service.processes import command_of, descendants

FAKETIME = ("/usr/lib/*/faketime/libfaketime.so.1", "/usr/lib*/faketime/libfaketime.so.1")


def kill(process: Process | None) -> None:
    """`kill -9` to a process that was started, and wait until it is gone."""
    assert process is not None
    process.kill()
    process.wait()


@contextmanager
def frozen(*pids: int) -> Iterator[None]:
    """SIGSTOP, and SIGCONT at the end of the context."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def engine_of(pid: int) -> int | None:
    """The engine process of a GPU worker, while it has one."""
    return next((child for child in descendants(pid) if "workers.engine.engine" in command_of(child)), None)


def engine_and_encoder(pid: int) -> set[int]:
    """Return those of the two processes that a GPU worker has at the moment."""
    return {child for child in descendants(pid) if "workers.engine." in command_of(child)}


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[bool]:
    """A file system of `size` bytes at `folder`; False where mounting is not allowed, and `folder` is a plain one."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    mounted = shutil.which("mount") is not None and 0 == subprocess.run(command, capture_output=True).returncode
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """Not a byte is left on the file system of `folder`, until the end of the context."""
    ballast = folder / "ballast"
    try:
        with ballast.open("wb", buffering=0) as file:
            for size in (1 << 20, 1 << 12, 1):
                _fill(file.fileno(), bytes(size))
        yield
    finally:
        ballast.unlink()


def skewed(seconds: int) -> dict[str, str] | None:
    """Variables that put a process's clock off by so many seconds; None where libfaketime is not installed."""
    found = [path for pattern in FAKETIME for path in Path("/").glob(pattern.removeprefix("/"))]
    if not found:
        return None
    return {"LD_PRELOAD": str(found[0]), "FAKETIME": f"{seconds:+d}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


def _fill(descriptor: int, block: bytes) -> None:
    try:
        while os.write(descriptor, block):
            pass
    except OSError:
        return
