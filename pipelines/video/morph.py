"""The family `demo-morph`: one still becomes another. Pillow, NumPy and scikit-image, one core, no weights.

Each still is bent towards the other along the optical flow between them (TV-L1, Zach, Pock and Bischof, 2007), and the
one fades into the other. What moves a little between the stills moves; what differs is cross-faded.
"""

from collections.abc import Iterator
from math import cos, pi
from pathlib import Path

import numpy as np
from PIL import Image
from skimage.registration import optical_flow_tvl1

from jobs.params.video import VideoParams
from pipelines.catalog.requirements import check_media
from pipelines.catalog.spec import ModelSpec
from pipelines.diffusion.sampling_settings import ignored_field_warnings
from pipelines.image.arguments import cover
from pipelines.image.inputs import read_image
from pipelines.runtime.protocol import Inputs, MetadataValue, RawOutput, RunContext
from pipelines.video.bending import Field, bent
from pipelines.video.color import empty_video, fill_planes
from pipelines.video.frames import plan_frames

FLOW_SIDE = 96
"""The longer side of the copies of the stills between which the flow is found, in pixels."""
CELLS = 48
"""Cells of the mesh that bends a still, along its longer side."""
SAID = "interpolated: its two pictures are bent and faded into each other; nothing is drawn, and the prompt is not read"


class Morph:
    """A video from `input_image` to `last_image`."""

    def __init__(self, spec: ModelSpec, weights: Path, device: str) -> None:
        self.spec = spec

    def run(self, params: VideoParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """Make `frames` for `params`; report after every frame. Raises what `check_media` raises."""
        check_media(self.spec, inputs.files)
        plan = plan_frames(self.spec, params.duration_seconds)
        warnings = (
            SAID,
            *plan.warnings,
            *ignored_field_warnings(self.spec, params, frozenset()),
        )
        for warning in warnings:
            ctx.warn(warning)
        ctx.progress(0.0, "prepare")
        size = (params.width, params.height)
        frames = empty_video(ctx, plan.frames, *size)
        first, last = (cover(read_image(inputs.files[name]), size) for name in ("input_image", "last_image"))
        for number, frame in enumerate(morphed(first, last, plan.frames)):
            rgb = np.asarray(frame, np.float32) / 255
            fill_planes(frames[number : number + 1], rgb.transpose(2, 0, 1)[None])
            ctx.progress((number + 1) / (plan.frames + 1), "step" if number + 1 < plan.frames else "encode")
        metadata: dict[str, MetadataValue] = {"seed": ctx.seed, "fps": plan.fps, "frames": plan.frames}
        return RawOutput(arrays={"frames": frames}, warnings=warnings, metadata=metadata)


def morphed(first: Image.Image, last: Image.Image, count: int) -> Iterator[Image.Image]:
    """Yield so many frames, at least 2, from one RGB still to another of its size; the ends are the stills."""
    there, back = _flow(first, last), _flow(last, first)
    for number in range(count):
        part = (1 - cos(pi * number / (count - 1))) / 2
        yield Image.blend(bent(first, there * part, CELLS), bent(last, back * (1 - part), CELLS), part)


def _flow(one: Image.Image, other: Image.Image) -> Field:
    scale = min(1.0, FLOW_SIDE / max(one.size))
    size = (max(8, round(one.width * scale)), max(8, round(one.height * scale)))
    small = [np.asarray(each.resize(size, Image.Resampling.BOX), np.float32) / 255 for each in (one, other)]
    clearest = int(np.argmax(np.stack(small).std(axis=(0, 1, 2))))  # of red, green and blue; gray may hide an edge
    one_channel = (each[..., clearest] for each in small)
    down, right = optical_flow_tvl1(*one_channel)  # type: ignore[no-untyped-call]
    return np.stack([right / size[0], down / size[1]]).astype(np.float32)
