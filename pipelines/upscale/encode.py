"""Enlarged pictures and films as files, like any other ones; runs in the encoder process."""

from pathlib import Path

import msgspec

from jobs.params.upscale import UpscaleParams
from pipelines.image import encode as image_encoder
from pipelines.runtime.protocol import Outputs, RawOutput
from pipelines.video.encode import encode_film

PICTURE, FILM = "webp", "mp4"
"""What is made where the format is one of the other kind; the first is the default of both."""
FILMS = ("mp4", "webm")


def encode(raw: RawOutput, params: UpscaleParams, folder: Path) -> Outputs:
    """Write the film or the picture of `raw`; a format of the other kind gives the default, with a warning.

    Raises like the encoders of both.
    """
    asked, is_film = params.output_format, "frames" in raw.arrays
    fits = (asked in FILMS) == is_film
    if is_film:
        name = asked if fits else FILM
        made = Outputs(files=(encode_film(raw, name, folder, is_marked=params.watermark == "always"),))
    else:
        made = image_encoder.encode(
            raw, params if fits else msgspec.structs.replace(params, output_format=PICTURE), folder
        )
    if fits or asked == PICTURE:
        return made
    kinds = ("pictures", "film", FILM) if is_film else ("films", "picture", PICTURE)
    warning = "`output_format` {} is for {}; this {} is {}".format(asked, *kinds)
    return Outputs(files=made.files, warnings=(*made.warnings, warning))
