"""Seconds and peaks of memory of each stage of one job, by the reports of its pipeline."""

import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

import torch

from pipelines.catalog.spec import Stage
from pipelines.runtime.protocol import RunContext


class StageMeter:
    """The follower of one job: what each stage took, and its peak of memory above what was in use at the start.

    Bytes are torch's own of the device; on the CPU they are those of the process. Each report waits for the device, so
    this job is a little slower than another one.
    """

    def __init__(self, device: str) -> None:
        self.seconds: dict[Stage, float] = defaultdict(float)
        self.peaks: dict[Stage, int] = defaultdict(int)
        self._device = device
        self._stage: Stage = "prepare"
        self._start = _reset_peak(device)
        self._since = time.perf_counter()

    def context(self, seed: int) -> RunContext:
        """Return the context with which the pipeline runs."""
        return RunContext(seed=seed, progress=lambda _, stage: self.enter(stage), warn=lambda text: None)

    def enter(self, stage: Stage) -> None:
        """Count what was until now for the present stage; `stage` is the next."""
        if self._device != "cpu":
            torch.cuda.synchronize()
        now = time.perf_counter()
        self.seconds[self._stage] += now - self._since
        self.peaks[self._stage] = max(self.peaks[self._stage], _peak(self._device) - self._start)
        _reset_peak(self._device)
        self._stage, self._since = stage, now

    def end(self) -> None:
        """Count the last stage."""
        self.enter(self._stage)


def _peak(device: str) -> int:
    return _of_process("VmHWM") if device == "cpu" else torch.cuda.max_memory_allocated()


def _reset_peak(device: str) -> int:
    """Begin a new peak, and return the bytes in use."""
    if device == "cpu":
        with suppress(OSError):  # where the kernel does not offer it the peak is that of the process's life
            Path("/proc/self/clear_refs").write_text("5")
        return _of_process("VmRSS")
    torch.cuda.reset_peak_memory_stats()
    return torch.cuda.memory_allocated()


def _of_process(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))
