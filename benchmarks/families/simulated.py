"""A pipeline that stands for a device: it waits as long as the prompt says and returns a real photograph or video.

`compute=0.2` in the prompt is seconds; the CPU is idle for as long, as it is while a GPU computes. Only the planes of a
video come over within that time, in its last step: a real pipeline too has copied them from its device when it ends.
Everything after it (arrays, files, rows) is real. No torch, no weights.
"""

import time
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from jobs.params.image import ImageParams
from jobs.params.video import VideoParams
from pipelines.catalog.spec import CHECKOUT, ModelSpec
from pipelines.runtime.protocol import Inputs, RawOutput, RunContext
from pipelines.video.color import empty_video, fill_planes

PHOTOGRAPH = CHECKOUT / "docs" / "images" / "product.jpg"
STEPS = 10
DRIFT = 3
"""Pixels that the video's window moves over the photograph from frame to frame."""


class Simulated:
    """The photograph, or a window that moves over it."""

    def __init__(self, spec: ModelSpec, weights: Path, device: str) -> None:
        self._fps = spec.defaults.fps or 24

    def run(self, params: ImageParams | VideoParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """See `Pipeline`; reports after each of `STEPS` steps."""
        seconds, began = float(params.prompt.rpartition("compute=")[2]), time.monotonic()
        ctx.progress(0.0, "prepare")
        for step in range(1, STEPS):
            _sleep_until(began + seconds * step / STEPS)
            ctx.progress(step / (STEPS + 1), "step")
        raw = self._image(params, ctx) if isinstance(params, ImageParams) else self._video(params, ctx)
        _sleep_until(began + seconds)
        ctx.progress(STEPS / (STEPS + 1), "decode")
        return raw

    def _image(self, params: ImageParams, ctx: RunContext) -> RawOutput:
        return RawOutput(arrays={"0": _photograph(params.width, params.height)}, metadata={"seed": ctx.seed})

    def _video(self, params: VideoParams, ctx: RunContext) -> RawOutput:
        made = _planes(params.width, params.height, 1 + round(params.duration_seconds * self._fps))
        frames = empty_video(ctx, len(made), params.width, params.height)
        frames[:] = made
        return RawOutput(arrays={"frames": frames}, metadata={"seed": ctx.seed, "fps": self._fps})


@cache
def _photograph(width: int, height: int) -> NDArray[np.uint8]:
    return np.asarray(Image.open(PHOTOGRAPH).convert("RGB").resize((width, height)))


@cache
def _planes(width: int, height: int, count: int) -> NDArray[np.uint8]:
    board = _photograph(width + DRIFT * count, height).transpose(2, 0, 1).astype(np.float32) / 255
    planes = np.empty((count, height * 3 // 2, width), np.uint8)
    for number in range(count):
        window = board[None, :, :, DRIFT * number : DRIFT * number + width]
        fill_planes(planes[number : number + 1], window)
    return planes


def _sleep_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))
