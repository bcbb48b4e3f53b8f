"""What a palette and a subject mean for the model: words behind the prompt, and arrays for the encoder."""

from pathlib import Path

import msgspec
import numpy as np
from PIL import Image

from jobs.params.base import Params
from jobs.params.image import ImageParams
from pipelines.branding.finish import LOGO, PALETTE_ARRAY, SUBJECT, SUBJECT_ARRAY
from pipelines.branding.palettes import guided, palette_of
from pipelines.runtime.protocol import Inputs, RawOutput


def for_model(inputs: Inputs) -> Inputs:
    """Return the inputs without those that only the encoder gets."""
    return Inputs({name: file for name, file in inputs.files.items() if name not in (LOGO, SUBJECT)})


def with_palette(params: Params, cutout: Path | None) -> Params:
    """Return the parameters with the palette in the prompt; `cutout` is the subject, from which one may be taken."""
    if not isinstance(params, ImageParams):
        return params
    if params.palette_mode is not None and cutout is not None and not params.palette:
        with Image.open(cutout, formats=["PNG"]) as subject:
            params = msgspec.structs.replace(params, palette=palette_of(subject, params.palette_mode))
    if params.palette:
        params = msgspec.structs.replace(params, prompt=guided(params.prompt, params.palette))
    return params


def with_subject(raw: RawOutput, params: Params, cutout: Path) -> RawOutput:
    """Return what the model made, with the subject for the encoder and the palette that `params` were given."""
    with Image.open(cutout, formats=["PNG"]) as subject:
        arrays = raw.arrays | {SUBJECT_ARRAY: np.asarray(subject.convert("RGBA"))}
    palette = params.palette if isinstance(params, ImageParams) else ()
    if palette:
        colors = [tuple(bytes.fromhex(color[1:])) for color in palette]
        arrays[PALETTE_ARRAY] = np.array(colors, np.uint8)
    return msgspec.structs.replace(raw, arrays=arrays)
