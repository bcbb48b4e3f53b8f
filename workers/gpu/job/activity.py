"""What a claimed job does at present: its stage, the deadline of that stage, and the pace of the computing."""

import math
import time
from collections.abc import Callable

import msgspec

from pipelines.catalog.spec import Deadlines, Stage
from workers.gpu.job.stage_timer import StageTimer
from workers.ipc.messages import StageProgress

SLACK_SECONDS = 5.0
"""How far past a stage's deadline the lease is still renewed: long enough to kill the process that overran."""


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a job's work; times are monotonic seconds."""

    stage: Stage
    until: float
    """The deadline of the stage."""
    computing_since: float | None = None
    computed_at: float = math.inf
    """When the computing will have ended, at its pace so far."""
    store_is_refusing: bool = False


class JobActivity:
    """The stages of one claimed job. Its own thread writes, by exchanging one frozen value; every thread reads."""

    def __init__(self, deadlines: Deadlines, clock: Callable[[], float] = time.monotonic) -> None:
        self._deadlines = deadlines
        self._clock = clock
        self.timer = StageTimer()
        self.last_report: StageProgress | None = None
        """The engine's last report, which the next beat writes."""
        self.event_seq = 0
        """The row's `event_seq` after the last beat."""
        self.shown_reports = 0
        """How many reports followers have been shown: the `n` of their events."""
        # Until the engine begins, which may have to be started.
        self._moment = Moment(stage="prepare", until=clock() + deadlines.load)

    @property
    def stage(self) -> Stage:
        """The present stage."""
        return self._moment.stage

    @property
    def is_overdue(self) -> bool:
        """Whether the present stage is past its deadline, so that the lease must not be renewed."""
        return self._clock() > self._moment.until + SLACK_SECONDS

    @property
    def remaining_seconds(self) -> float:
        """Seconds until the computing ends, at its pace up to the last report; infinite while none is known."""
        return self._moment.computed_at - self._clock()

    @property
    def store_is_refusing(self) -> bool:
        """Whether the store has refused the job's outputs."""
        return self._moment.store_is_refusing

    def wait_for(self, stage: Stage, seconds: float) -> None:
        """Begin to wait for a stage: so many seconds are left for it, and no time is counted."""
        self._change(stage=stage, until=self._clock() + seconds)

    def enter(self, stage: Stage, seconds: float | None = None) -> None:
        """Begin a stage, or renew it; it may take `seconds` (default: the model's own deadline for it)."""
        self._change(stage=stage, until=self._clock() + (self._deadlines.of(stage) if seconds is None else seconds))
        self.timer.begin(stage)

    def leave(self) -> None:
        """End the stage without beginning another."""
        self.timer.end()

    def report(self, fraction: float) -> None:
        """Note which fraction of the computing is done, 0 to 1; at 0 it begins."""
        now, since = self._clock(), self._moment.computing_since
        if fraction == 0 or since is None:
            self._change(computing_since=now, computed_at=math.inf)
        else:
            self._change(computed_at=now + (now - since) * (1 - fraction) / fraction)

    def note_refusal(self) -> None:
        """Note that the store has refused an output."""
        self._change(store_is_refusing=True)

    def _change(self, **changes: object) -> None:
        self._moment = msgspec.structs.replace(self._moment, **changes)
