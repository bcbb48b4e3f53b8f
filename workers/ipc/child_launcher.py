"""Starts of a worker's child processes, and one more process that waits for its turn: a spare."""

import os
import socket
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress

import msgspec

from core.log_capture import child_output
from core.logs import json_lines
from core.processes import Process, spawn, stop
from workers.ipc.channel import Channel, ChannelClosed
from workers.ipc.messages import Begin

_PASSED = {
    *("PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "PYTHONPATH", "PYTHONUNBUFFERED"),
    *("LD_LIBRARY_PATH", "LD_PRELOAD", "CC", "CXX", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_CPU_NAME"),
    *("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES"),
    *("CUDA_CACHE_PATH", "CUDA_CACHE_MAXSIZE", "CUDA_MODULE_LOADING", "PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF"),
    *("ATELIER_CATALOG", "ATELIER_WEIGHTS_DIR", "ATELIER_WEIGHTS_LOCK", "ATELIER_ALLOWED_LICENSES", "ATELIER_DEVICE"),
    *(
        "ATELIER_PEER_DEVICES",
        "ATELIER_CPU_THREADS",
        "ATELIER_VRAM_BUDGET",
        "ATELIER_HOST_BUDGET",
        "ATELIER_IDLE_UNLOAD_SECONDS",
    ),
    *("ATELIER_IDLE_DROP_SECONDS", "ATELIER_LOG_LEVEL", "ATELIER_LOG_FORMAT", "ATELIER_COMPILE_CACHE"),
    "ATELIER_PREVIEWS",
}
"""The variables that a child gets of the environment: no address, no credential."""
_PASSED_PREFIXES = ("TORCHINDUCTOR_", "TRITON_")
"""It gets those of the compilers, too, whatever they are called."""


class LaunchedChild(msgspec.Struct, frozen=True):
    """A process, and the end of the channel to it."""

    process: Process
    channel: Channel

    @property
    def is_alive(self) -> bool:
        """Whether the process has not ended."""
        return self.process.poll() is None

    def begin(self) -> bool:
        """Have the process begin; return whether it lives."""
        with suppress(ChannelClosed):
            self.channel.send(Begin())
        return self.is_alive


class ChildLauncher:
    """Starts of `python -m MODULE`. One thread at a time uses it; any other may stop it."""

    def __init__(self, module: str) -> None:
        self._module = module
        self._changing = threading.Lock()
        self._is_stopped = False
        self._spare: LaunchedChild | None = None

    @property
    def has_spare(self) -> bool:
        """Whether there is a spare, and it lives."""
        spare = self._spare
        return spare is not None and spare.is_alive

    def launch(self) -> LaunchedChild:
        """Return a process that begins: the spare where there is one, else a fresh one."""
        spare = self._take_spare()
        if spare is not None:
            if spare.begin():
                return spare
            spare.channel.close()
        child = self._spawn()
        child.begin()  # one that has died already shows when its answer is awaited
        return child

    def keep_spare(self) -> None:
        """See to it that a process is there that has not begun; it imports what it will need. None after a stop."""
        with self._changing:
            if not (self._is_stopped or self.has_spare):
                self._spare = self._spawn()

    def stop(self, grace_seconds: float) -> None:
        """End the spare, for good."""
        self._is_stopped = True
        spare = self._take_spare()
        if spare is not None:
            spare.channel.close()
            stop(spare.process, grace_seconds)

    def _take_spare(self) -> LaunchedChild | None:
        with self._changing:
            spare, self._spare = self._spare, None
        return spare

    def _spawn(self) -> LaunchedChild:
        ours, theirs = socket.socketpair()
        name = self._module.rpartition(".")[2]
        with theirs, child_output(name, json_lines(name)) as output:
            process = spawn(
                [sys.executable, "-m", self._module, str(theirs.fileno())],
                env=_allowed(os.environ),
                name=name,
                stdout=output,
                stderr=output,
                pass_fds=[theirs.fileno()],
            )
        return LaunchedChild(process, Channel(ours))


def _allowed(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name in _PASSED or name.startswith(_PASSED_PREFIXES)}
