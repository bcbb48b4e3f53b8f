"""A pipeline that stands for a device: it waits as long as the prompt says and hands over a real photograph or film.

`compute=0.2` in the prompt is seconds; the CPU is idle for as long, as it is while a GPU computes. Everything after it
(arrays, files, rows) is real. No torch, no weights.
"""

import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from jobs.params import ImageParams, VideoParams
from pipelines.pipeline import Inputs, Raw, RunContext
from pipelines.spec import CHECKOUT, ModelSpec

PHOTOGRAPH = CHECKOUT / "docs" / "images" / "product.jpg"
STEPS = 10
DRIFT = 3
"""Pixels that the film's window moves over the photograph from frame to frame."""


class Simulated:
    """The photograph, or a window that moves over it; both are made ready once for each size."""

    def __init__(self, spec: ModelSpec, weights: Path, device: str) -> None:
        self._fps = spec.defaults.fps or 24
        self._made: dict[tuple[int, ...], NDArray[np.uint8]] = {}

    def run(self, params: ImageParams | VideoParams, inputs: Inputs, ctx: RunContext) -> Raw:
        """See `Pipeline`; reports after each of `STEPS` steps."""
        seconds = float(params.prompt.rpartition("compute=")[2])
        began = time.monotonic()
        ctx.progress(0.0, "prepare")
        for step in range(1, STEPS + 1):
            time.sleep(max(0.0, began + seconds * step / STEPS - time.monotonic()))
            ctx.progress(step / (STEPS + 1), "step" if step < STEPS else "decode")
        size = (params.width, params.height)
        if isinstance(params, ImageParams):
            return Raw(arrays={"0": self._frames(size, 1)[0]}, facts={"seed": ctx.seed})
        frames = self._frames(size, 1 + round(params.duration_seconds * self._fps))
        return Raw(arrays={"frames": frames}, facts={"seed": ctx.seed, "fps": self._fps})

    def _frames(self, size: tuple[int, int], count: int) -> NDArray[np.uint8]:
        width, height = size
        key = (width, height, count)
        if key not in self._made:
            board = Image.open(PHOTOGRAPH).convert("RGB").resize((width + DRIFT * count, height))
            pixels = np.asarray(board)
            views = [pixels[:, DRIFT * n : DRIFT * n + width] for n in range(count)]
            self._made[key] = np.stack(views)
        return self._made[key]
