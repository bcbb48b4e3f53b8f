"""An avatar clip as arrays: frames that a family draws one after the other, with the recording as its sound."""

from collections.abc import Iterable

import numpy as np
from PIL import Image

from pipelines.avatar.voice import FPS, Voice
from pipelines.runtime.protocol import RawOutput, RunContext
from pipelines.video.color import empty_video, fill_planes


def make_clip(
    frames: Iterable[Image.Image], size: tuple[int, int], voice: Voice, warnings: tuple[str, ...], ctx: RunContext
) -> RawOutput:
    """Return `frames` and `sound`; report after every frame, of which there are `voice.frames`, in RGB of `size`."""
    for warning in warnings:
        ctx.warn(warning)
    count = voice.frames
    planes = empty_video(ctx, count, *size)
    for number, frame in zip(range(count), frames, strict=True):
        rgb = np.asarray(frame, np.float32) / 255
        fill_planes(planes[number : number + 1], rgb.transpose(2, 0, 1)[None])
        ctx.progress((number + 1) / (count + 1), "step" if number + 1 < count else "encode")
    return RawOutput(
        arrays={"frames": planes, "sound": voice.sound},
        warnings=warnings,
        metadata={"seed": ctx.seed, "fps": FPS, "frames": count},
    )
