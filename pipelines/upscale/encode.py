"""Enlarged pictures and films as files, like any other ones; runs in the encoder process."""

from pathlib import Path

import msgspec

from jobs.params.upscale import UpscaleParams
from jobs.params.video import VideoParams
from pipelines.image import encode as image_encoder
from pipelines.runtime.protocol import Outputs, RawOutput
from pipelines.video import encode as video_encoder

PICTURE, FILM = "webp", "mp4"
"""What is made where the format is one of the other kind; the first is the default of both."""
FILMS = ("mp4", "webm")


def encode(raw: RawOutput, params: UpscaleParams, folder: Path) -> Outputs:
    """Write the film or the picture of `raw`; a format of the other kind gives the default, with a warning.

    Raises like `image.encode` and `video.encode`.
    """
    asked, is_film = params.output_format, "frames" in raw.arrays
    fits = (asked in FILMS) == is_film
    if is_film:
        made = video_encoder.encode(
            raw, VideoParams(output_format=asked if fits else FILM, watermark=params.watermark), folder
        )
    else:
        made = image_encoder.encode(
            raw, params if fits else msgspec.structs.replace(params, output_format=PICTURE), folder
        )
    if fits or asked == PICTURE:
        return made
    kinds = ("pictures", "film", FILM) if is_film else ("films", "picture", PICTURE)
    warning = "`output_format` {} is for {}; this {} is {}".format(asked, *kinds)
    return Outputs(files=made.files, warnings=(*made.warnings, warning))
