"""What a run reports to the supervisor: its progress, and the warnings and previews of each of its jobs. No torch."""

import logging
from collections.abc import Callable, Mapping, MutableSet, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.catalog.spec import Stage
from pipelines.runtime.protocol import Draw, JobCancelled, JobPreempted
from workers.ipc.channel import Channel
from workers.ipc.messages import Interrupt, PreviewPixels, PreviewText, SoundPart, StageProgress

log = logging.getLogger(__name__)


class RunReports:
    """Reports of one run, a message for each of its jobs by their `tickets`; one that is in `interrupts` gets none."""

    def __init__(
        self,
        channel: Channel,
        interrupts: Mapping[str, Interrupt],
        asked_previews: MutableSet[str],
        tickets: Sequence[str],
    ) -> None:
        self._channel = channel
        self._interrupts = interrupts
        self._asked_previews = asked_previews
        self._warnings: dict[str, list[str]] = {ticket: [] for ticket in tickets}
        self._last: tuple[float, Stage] = (0.0, "prepare")
        self._played = dict.fromkeys(tickets, 0)
        """Parts of recordings since the run began."""
        self._files = 0

    def progress(self, fraction: float, stage: Stage) -> None:
        """See `RunContext`. Raises `JobCancelled` or `JobPreempted` once all jobs are interrupted."""
        self._last = fraction, stage
        wanted = self.wanted()
        if not wanted:
            log.info("engine: interrupted ticket=%s fraction=%.4f stage=%s", " ".join(self._warnings), fraction, stage)
            is_preempted = any(self._interrupts[ticket].preempt for ticket in self._warnings)
            raise JobPreempted if is_preempted else JobCancelled
        for ticket in wanted:
            warnings = tuple(self._warnings[ticket])
            self._channel.send(StageProgress(ticket=ticket, fraction=fraction, stage=stage, warnings=warnings))

    def repeat(self) -> None:
        """Report the last stage again: it begins again. Raises as `progress`."""
        self.progress(*self._last)

    def wanted(self) -> list[str]:
        """Return the tickets of the jobs that are not interrupted."""
        return [ticket for ticket in self._warnings if ticket not in self._interrupts]

    def warn(self, ticket: str) -> Callable[[str], None]:
        """Return the `warn` of a job's context."""

        def warn(text: str) -> None:
            if text not in self._warnings[ticket]:  # a run in smaller batches says it again
                self._warnings[ticket].append(text)

        return warn

    def show_step(self, ticket: str) -> Callable[[int, int, Draw], None]:
        """Return the `show_step` of a job's context. What goes wrong in it costs a preview, and not the job."""

        def show(step: int, of: int, draw: Draw) -> None:
            if ticket not in self._asked_previews:
                return
            self._asked_previews.discard(ticket)
            try:
                drawn = draw()
            except Exception:
                log.warning("engine: preview not drawn ticket=%s", ticket, exc_info=True)
                return
            height, width, _ = drawn.shape
            pixels = drawn.tobytes()
            self._channel.send(
                PreviewPixels(ticket=ticket, step=step, of=of, width=width, height=height, pixels=pixels)
            )

        return show

    def show_text(self, ticket: str) -> Callable[[int, int, Callable[[], str]], None]:
        """Return the `show_text` of a job's context."""

        def show(step: int, of: int, write: Callable[[], str]) -> None:
            if ticket in self._asked_previews:
                self._asked_previews.discard(ticket)
                self._channel.send(PreviewText(ticket=ticket, step=step, of=of, text=write()))

        return show

    def play(self, ticket: str, folder: Path) -> Callable[[NDArray[np.float32], int], None]:
        """Return the `play` of a job's context, which keeps the parts as files in `folder`."""

        def play(samples: NDArray[np.float32], rate: int) -> None:
            self._files += 1  # not the number: a part of a run that began again may still be read
            file = folder / f"part_{self._files}.npy"
            folder.mkdir(parents=True, exist_ok=True)
            np.save(file, samples, allow_pickle=False)
            self._channel.send(SoundPart(ticket=ticket, number=self._played[ticket], file=str(file), rate=rate))
            self._played[ticket] += 1

        return play

    def clear(self) -> None:
        """Forget all warnings and parts: the run begins again."""
        self._played = dict.fromkeys(self._played, 0)
        for warnings in self._warnings.values():
            warnings.clear()
