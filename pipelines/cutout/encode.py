"""Cut-outs as files: PNG, or WebP with lossless transparency; films as WebM, MOV or, opaque, MP4.

Runs in the encoder process.
"""

from pathlib import Path

import msgspec

from jobs.params.cutout import CutoutParams
from pipelines.image import encode as image_encoder
from pipelines.runtime.protocol import Outputs, RawOutput
from pipelines.video.encode import TRANSPARENT, encode_film

JPEG_WARNING = "JPEG has no transparency; a PNG was made."
MP4_WARNING = "MP4 has no transparency; a WebM was made."
FILMS = ("mp4", "webm", "mov")
USUAL = "png"
"""The format of a request that names none: of a film WebM with transparency, and MP4 without."""


def encode(raw: RawOutput, params: CutoutParams, folder: Path) -> Outputs:
    """Write the image of `raw`; where JPEG was asked for, write a PNG and warn. Raises like `image.encode`.

    With `keep_cutout` the cut-out follows the image on its color, which has no transparency, as `1.png`.
    """
    if "frames" in raw.arrays:
        return _write_film(raw, params, folder)
    if params.output_format in FILMS:
        made = encode(raw, msgspec.structs.replace(params, output_format=USUAL), folder)
        warning = f"`output_format` {params.output_format} is for films; this picture is {USUAL}"
        return Outputs(files=made.files, warnings=(*made.warnings, warning))
    if params.is_placed_by_encoder:
        return _write_both(raw, params, folder)
    if params.output_format != "jpeg":
        return image_encoder.encode(raw, params, folder)
    made = image_encoder.encode(raw, msgspec.structs.replace(params, output_format="png"), folder)
    return Outputs(files=made.files, warnings=(*made.warnings, JPEG_WARNING))


def _write_film(raw: RawOutput, params: CutoutParams, folder: Path) -> Outputs:
    asked, is_transparent = params.output_format, "alpha" in raw.arrays
    fitting, usual = (TRANSPARENT, "webm") if is_transparent else (FILMS, "mp4")
    name = asked if asked in fitting else usual
    warnings: tuple[str, ...] = ()
    if asked == "mp4" and is_transparent:
        warnings = (MP4_WARNING,)
    elif asked not in (*FILMS, USUAL):
        warnings = (f"`output_format` {asked} is for images; this film is {name}",)
    return Outputs(files=(encode_film(raw, name, folder, is_marked=params.watermark == "always"),), warnings=warnings)


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
