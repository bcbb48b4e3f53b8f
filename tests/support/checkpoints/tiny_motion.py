"""A stand-in for a model of motion control: a picture whose light follows that of a film. No weights."""

from pathlib import Path

import av
import numpy as np

from jobs.params.video import VideoParams
from pipelines.catalog.requirements import check_media
from pipelines.catalog.spec import ModelSpec
from pipelines.image.arguments import cover
from pipelines.image.inputs import read_image
from pipelines.runtime.protocol import Inputs, RawOutput, RunContext
from pipelines.video.color import empty_video, fill_planes
from pipelines.video.encode import encode

__all__ = ["TinyMotion", "encode"]


class TinyMotion:
    """As many frames as the film has: each is the picture, as light as that of the film."""

    def __init__(self, spec: ModelSpec, weights: Path, device: str) -> None:
        self.spec = spec

    def run(self, params: VideoParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        check_media(self.spec, inputs.files)
        with av.open(str(inputs.files["motion_video"]), format="mp4") as film:
            stream = film.streams.video[0]
            fps = round(stream.average_rate or 0)
            light = [frame.to_ndarray(format="gray").mean() / 255 for frame in film.decode(stream)]
        size = (params.width, params.height)
        picture = np.asarray(cover(read_image(inputs.files["input_image"]), size), np.float32) / 255
        frames = empty_video(ctx, len(light), *size)
        for number, share in enumerate(light):
            fill_planes(frames[number : number + 1], (share * picture).transpose(2, 0, 1)[None])
            ctx.progress((number + 1) / (len(light) + 1), "step")
        return RawOutput(arrays={"frames": frames}, metadata={"seed": ctx.seed, "fps": fps, "frames": len(frames)})
