"""Stand-ins for models, without weights: what they make shows which inputs and which words reached them."""

from pathlib import Path

import av
import numpy as np

from jobs.params.image import ImageParams
from jobs.params.video import VideoParams
from pipelines.catalog.requirements import check_media
from pipelines.catalog.spec import ModelSpec
from pipelines.image import encode as images
from pipelines.image.arguments import cover
from pipelines.image.inputs import gather_images, read_image
from pipelines.runtime.protocol import Inputs, Outputs, RawOutput, RunContext
from pipelines.video import encode as films
from pipelines.video.color import empty_video, fill_planes


def encode(raw: RawOutput, params: ImageParams | VideoParams, folder: Path) -> Outputs:
    """The files of either."""
    return images.encode(raw, params, folder) if isinstance(params, ImageParams) else films.encode(raw, params, folder)


class Collage:
    """A stripe of the mean color of each reference, of 16 pixels, and the prompt as a warning."""

    def __init__(self, spec: ModelSpec, weights: Path, device: str) -> None:
        self.spec = spec

    def run(self, params: ImageParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        references = gather_images(self.spec, inputs).references
        ctx.progress(0.5, "step")
        colors = [np.asarray(picture).mean(axis=(0, 1)).round().astype(np.uint8) for picture in references]
        stripes = np.repeat(np.array(colors, np.uint8)[None], 16, axis=0).repeat(16, axis=1)
        return RawOutput(arrays={"0": stripes}, warnings=(params.prompt,), metadata={"seed": ctx.seed})


class Shade:
    """Of a picture and a film as many frames as the film has: each is the picture, as light as that of the film."""

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
