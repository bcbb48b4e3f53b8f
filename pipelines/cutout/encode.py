"""Cut-outs as files: PNG, or WebP with lossless transparency; runs in the encoder process."""

from pathlib import Path

import msgspec

from jobs.params.cutout import CutoutParams
from pipelines.image import encode as image_encoder
from pipelines.runtime.protocol import Outputs, RawOutput

JPEG_WARNING = "JPEG has no transparency; a PNG was made."


def encode(raw: RawOutput, params: CutoutParams, folder: Path) -> Outputs:
    """Write the image of `raw`; where JPEG was asked for, write a PNG and warn. Raises like `image.encode`."""
    if params.output_format != "jpeg":
        return image_encoder.encode(raw, params, folder)
    made = image_encoder.encode(raw, msgspec.structs.replace(params, output_format="png"), folder)
    return Outputs(files=made.files, warnings=(*made.warnings, JPEG_WARNING))
