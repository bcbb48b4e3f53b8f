"""Times of the phases of one attempt."""

import time

import msgspec

from jobs.job import DeviceTime
from pipelines.catalog.spec import Stage

PHASES = {"prepare": "compute", "step": "compute", "decode": "compute"}
"""Stages of a pipeline that count as one phase; every other stage is a phase of its own."""


class Phase(msgspec.Struct, frozen=True):
    """Part of an attempt; times are seconds since 1970."""

    name: str
    began: float
    ended: float


class StageTimer:
    """A clock of phases, one after the other; it only goes forward."""

    def __init__(self) -> None:
        self.began = time.time()
        self.phases: list[Phase] = []
        self._offset = self.began - time.monotonic()
        self._open: tuple[str, float] | None = None

    def begin(self, stage: Stage) -> None:
        """Begin a stage, and end the one before it."""
        name = PHASES.get(stage, stage)
        if self._open is None or self._open[0] != name:
            self.end()
            self._open = name, self.now()

    def end(self) -> None:
        """End the stage without beginning another."""
        if self._open is not None:
            self.phases.append(Phase(*self._open, self.now()))
            self._open = None

    def device_time(self, jobs: int = 1) -> DeviceTime:
        """Return what the attempt has taken of the device, where so many `jobs` had it together."""
        spent = self.seconds()
        gpu_seconds = spent.get("compile", 0.0) + spent.get("compute", 0.0)
        return DeviceTime(round(gpu_seconds / jobs, 3), round(spent.get("load", 0.0) / jobs, 3))

    def now(self) -> float:
        """Return seconds since 1970, counted from the beginning of the attempt."""
        return self._offset + time.monotonic()

    def seconds(self) -> dict[str, float]:
        """Return the seconds that were spent in each phase."""
        spent: dict[str, float] = {}
        for phase in self.phases:
            spent[phase.name] = spent.get(phase.name, 0.0) + phase.ended - phase.began
        return spent
