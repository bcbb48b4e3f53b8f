"""What happens to the images of a job between the model and their files: a palette, a subject, a logo, a shadow.

It runs in the encoder process, for any parameters that have the fields.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
from PIL import Image

from jobs.params.base import Params
from jobs.params.cutout import CutoutParams
from pipelines.branding.backdrop import Shadow, on_color, over
from pipelines.branding.colors import palette_distance, transfer
from pipelines.branding.logo import stamp
from pipelines.runtime.protocol import Outputs, RawOutput

LOGO, SUBJECT = "logo_url", "subject_image"
"""Inputs that no model gets: the encoder has them."""
SUBJECT_ARRAY, PALETTE_ARRAY = "subject", "palette"
"""Arrays beside the images: the subject's cut-out, and a palette that was taken from it, colors x 3."""


class PaletteFit(msgspec.Struct, frozen=True):
    """How near an image is to its palette, before and after the transfer of its colors (`palette_distance`)."""

    before: float
    after: float


class FinishedImages(msgspec.Struct, frozen=True):
    """The images, and for each its `PaletteFit`, where there is a palette."""

    raw: RawOutput
    fits: tuple[PaletteFit | None, ...] = ()

    def described(self, outputs: Outputs) -> Outputs:
        """Return the outputs, of which the first are the images, with the fit of each."""
        files = list(outputs.files)
        for number, fit in enumerate(self.fits[: len(files)]):
            if fit is not None:
                files[number] = msgspec.structs.replace(
                    files[number], palette_distance=fit.after, palette_distance_before=fit.before
                )
        return msgspec.structs.replace(outputs, files=tuple(files))


def finish(raw: RawOutput, params: Params, inputs: Mapping[str, str]) -> FinishedImages:
    """Return the images of `raw` as their parameters want them; `inputs` are files by the names of the parameters."""
    if isinstance(params, CutoutParams):
        return FinishedImages(_placed(raw, params))
    palette = _palette(raw, params)
    if not palette and LOGO not in inputs and SUBJECT_ARRAY not in raw.arrays:
        return FinishedImages(raw)
    subject, logo = raw.arrays.get(SUBJECT_ARRAY), _logo(inputs)
    arrays, fits = {}, list[PaletteFit | None]()
    for name, array in raw.arrays.items():
        if name in (SUBJECT_ARRAY, PALETTE_ARRAY):
            continue
        image, fit = _recolored(Image.fromarray(np.ascontiguousarray(array)), palette)
        if subject is not None:
            image = over(Image.fromarray(np.ascontiguousarray(subject)), image)
        if logo is not None:
            image = stamp(image, logo, getattr(params, "logo_position", "bottom_right"))
        arrays[name] = np.asarray(image)
        fits.append(fit)
    return FinishedImages(msgspec.structs.replace(raw, arrays=arrays), tuple(fits))


def _placed(raw: RawOutput, params: CutoutParams) -> RawOutput:
    """Return a cut-out on its color with its shadow, and behind that the cut-out itself where it is kept."""
    if not params.is_placed_by_encoder:
        return raw
    cutout = np.ascontiguousarray(raw.arrays["0"])
    shadow = Shadow(opacity=params.shadow_opacity, blur=params.shadow_blur, dx=params.shadow_dx, dy=params.shadow_dy)
    placed = on_color(Image.fromarray(cutout), str(params.background_color), shadow if params.drop_shadow else None)
    arrays = {"0": np.asarray(placed)} | ({"1": cutout} if params.keep_cutout else {})
    return msgspec.structs.replace(raw, arrays=arrays)


def _palette(raw: RawOutput, params: Params) -> tuple[str, ...]:
    """Return the palette of the request, or the one that was taken from its subject."""
    taken = raw.arrays.get(PALETTE_ARRAY)
    if taken is not None:
        return tuple(f"#{red:02X}{green:02X}{blue:02X}" for red, green, blue in taken)
    return tuple(getattr(params, "palette", ()))


def _recolored(image: Image.Image, palette: Sequence[str]) -> tuple[Image.Image, PaletteFit | None]:
    if not palette:
        return image, None
    moved = transfer(image, palette)
    return moved, PaletteFit(palette_distance(image, palette), palette_distance(moved, palette))


def _logo(inputs: Mapping[str, str]) -> Image.Image | None:
    file = inputs.get(LOGO)
    if file is None:
        return None
    with Image.open(Path(file), formats=["PNG"]) as opened:
        return opened.convert("RGBA")
