"""Cut-outs as files: PNG, or WebP with lossless transparency; runs in the encoder process."""

from pathlib import Path

import msgspec

from jobs.params.cutout import CutoutParams
from pipelines.image import encode as image_encoder
from pipelines.runtime.protocol import Outputs, RawOutput

JPEG_WARNING = "JPEG has no transparency; a PNG was made."


def encode(raw: RawOutput, params: CutoutParams, folder: Path) -> Outputs:
    """Write the image of `raw`; where JPEG was asked for, write a PNG and warn. Raises like `image.encode`.

    With `keep_cutout` the cut-out follows the image on its color, which has no transparency, as `1.png`.
    """
    if params.is_placed_by_encoder:
        return _write_both(raw, params, folder)
    if params.output_format != "jpeg":
        return image_encoder.encode(raw, params, folder)
    made = image_encoder.encode(raw, msgspec.structs.replace(params, output_format="png"), folder)
    return Outputs(files=made.files, warnings=(*made.warnings, JPEG_WARNING))


def _write_both(raw: RawOutput, params: CutoutParams, folder: Path) -> Outputs:
    """Write the image on its color in any format, and where it is there the cut-out."""
    placed, *kept = (msgspec.structs.replace(raw, arrays={name: array}) for name, array in raw.arrays.items())
    made = image_encoder.encode(placed, params, folder)
    files = list(made.files)
    for number, cutout in enumerate(kept, start=1):
        inside = folder / f"cutout-{number}"
        inside.mkdir()
        (file,) = image_encoder.encode(cutout, msgspec.structs.replace(params, output_format="png"), inside).files
        name = f"{number}.png"
        (inside / file.path).rename(folder / name)
        files.append(msgspec.structs.replace(file, path=name))
    return Outputs(files=tuple(files), warnings=made.warnings)
