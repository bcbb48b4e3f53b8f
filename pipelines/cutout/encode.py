"""Cut-outs as files: PNG, or WebP whose transparency is lossless; runs in the encoder process."""

from pathlib import Path

import msgspec

from jobs.params.cutout import CutoutParams
from pipelines.image import encode as pictures
from pipelines.runtime.protocol import Outputs, RawOutput

JPEG_WARNING = "JPEG has no transparency; a PNG was made."


def encode(raw: RawOutput, params: CutoutParams, folder: Path) -> Outputs:
    """Write the picture of `raw`; a PNG with a warning where JPEG was asked for. Raises like `image.encode`."""
    if params.output_format != "jpeg":
        return pictures.encode(raw, params, folder)
    made = pictures.encode(raw, msgspec.structs.replace(params, output_format="png"), folder)
    return Outputs(files=made.files, warnings=(*made.warnings, JPEG_WARNING))
