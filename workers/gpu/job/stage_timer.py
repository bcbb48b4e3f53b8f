"""How long a job spends in what: the clock of one attempt."""

import time

import msgspec

from pipelines.catalog.spec import Stage

PHASES = {"prepare": "compute", "step": "compute", "decode": "compute"}
"""Stages of a pipeline that are told as one; the others are told as they are."""


class Phase(msgspec.Struct, frozen=True):
    """Part of an attempt; times are seconds since 1970."""

    name: str
    began: float
    ended: float


class StageTimer:
    """Phases, one after the other. Its own clock only ever goes forward."""

    def __init__(self) -> None:
        self.began = time.time()
        self.phases: list[Phase] = []
        self._offset = self.began - time.monotonic()
        self._open: tuple[str, float] | None = None

    def begin(self, stage: Stage) -> None:
        """A stage begins, and the one before it has ended."""
        name = PHASES.get(stage, stage)
        if self._open is None or self._open[0] != name:
            self.end()
            self._open = name, self.now()

    def end(self) -> None:
        """The stage has ended, and none begins."""
        if self._open is not None:
            self.phases.append(Phase(*self._open, self.now()))
            self._open = None

    def now(self) -> float:
        """Seconds since 1970, as they were counted from the beginning."""
        return self._offset + time.monotonic()

    def seconds(self) -> dict[str, float]:
        """How long it was in each phase in all."""
        spent: dict[str, float] = {}
        for phase in self.phases:
            spent[phase.name] = spent.get(phase.name, 0.0) + phase.ended - phase.began
        return spent
