"""The way of previews through the worker: asked for while a job is followed, encoded, and published."""

import base64
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from core.settings import Settings
from jobs.step_previews import PreviewPublisher, StepPreview
from pipelines.previews.steps import encode_step

log = logging.getLogger(__name__)

INTERVAL_SECONDS = 0.5
"""Between two looks for followers, and between a preview and the next look: a job shows at most two a second."""
TEXT_SECONDS = 0.1
"""The same between two parts of a text, which is read while it is written."""


class PreviewRelay:
    """The relay of one worker's previews. Its work is in a thread of its own, so no step waits for it.

    Each preview is asked for by itself, with the engine's `ask_preview`. An engine that nothing asks draws nothing.
    """

    def __init__(
        self,
        publisher: PreviewPublisher,
        ask_preview: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._publisher = publisher
        self._ask_preview = ask_preview
        self._clock = clock
        self._pool = ThreadPoolExecutor(1, "previews")
        self._look_at: dict[str, float] = {}
        """When to look for followers again, by the tickets of the present run."""

    @classmethod
    def connect(cls, settings: Settings, ask_preview: Callable[[str], None]) -> "PreviewRelay":
        """Return a relay over the broker that the settings name; it connects at its first use."""
        return cls(PreviewPublisher(settings), ask_preview)

    def begin(self) -> None:
        """Begin with the next run: its jobs are looked for at their first report."""
        self._look_at.clear()

    def look(self, ticket: str, job_id: str) -> None:
        """Ask for a preview of a job that computes if it has followers, unless it is too soon; returns at once."""
        now = self._clock()
        if now >= self._look_at.get(ticket, now):
            self._look_at[ticket] = now + INTERVAL_SECONDS
            self._pool.submit(self._ask_if_followed, ticket, job_id)

    def show(self, ticket: str, job_id: str, step: int, of: int, size: tuple[int, int], pixels: bytes) -> None:
        """Have a preview published: RGB of `size`, width and height; returns at once."""
        self._look_at[ticket] = self._clock() + INTERVAL_SECONDS
        self._pool.submit(self._publish, job_id, step, of, size, pixels)

    def show_text(self, ticket: str, job_id: str, step: int, of: int, text: str) -> None:
        """Have the beginning of a text published; returns at once."""
        self._look_at[ticket] = self._clock() + TEXT_SECONDS
        self._pool.submit(self._publisher.publish, job_id, StepPreview(step=step, of=of, text=text))

    def _ask_if_followed(self, ticket: str, job_id: str) -> None:
        if self._publisher.is_asked_for(job_id):
            self._ask_preview(ticket)

    def _publish(self, job_id: str, step: int, of: int, size: tuple[int, int], pixels: bytes) -> None:
        width, height = size
        try:
            webp = encode_step(np.frombuffer(pixels, np.uint8).reshape(height, width, 3))
        except Exception:
            log.warning("previews: not encoded job=%s", job_id, exc_info=True)
            return
        url = "data:image/webp;base64," + base64.b64encode(webp).decode()
        self._publisher.publish(job_id, StepPreview(step=step, of=of, image=url))
