"""The family `rembg`: background removal by one of rembg's sessions, on ONNX Runtime."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageColor

from core.errors import ModelLoadFailed, NotFinite
from jobs.params.cutout import CutoutParams
from pipelines.catalog.spec import ModelSpec
from pipelines.cutout.arrays import Pixels
from pipelines.cutout.foreground import clean_edges
from pipelines.cutout.sessions import open_session
from pipelines.image.flatten import flatten_on_white
from pipelines.runtime.protocol import Inputs, RawOutput, RunContext

SOLID, VISIBLE = 128, 26
"""Of 255: from here on a pixel is foreground; from here on it is worth keeping when the picture is cropped."""
NOTHING_FOUND = "No foreground was found in the picture; it was not cropped."


class RembgCutout:
    """The session called like the model, or like its `variant`; the matte is that of the same rembg session called
    directly.
    """

    def __init__(self, spec: ModelSpec, weights: Path, device: str) -> None:
        files = sorted(weights.glob("*.onnx"))
        if len(files) != 1:
            raise ModelLoadFailed(f"one .onnx file is wanted, there are {len(files)}.")
        self.spec = spec
        self.session = open_session(spec.variant or spec.id, files[0], device)

    def run(self, params: CutoutParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """One picture: RGBA, or RGB on `background_color`, or with `mask_only` the matte three times over."""
        ctx.progress(0.02, "prepare")
        picture, opacity = _read(inputs.files["image_url"])
        ctx.progress(0.1, "step")
        matte = _combined(self._matte(picture), opacity)
        ctx.progress(0.7, "decode")
        warnings = _warnings(params, matte)
        for warning in warnings:
            ctx.warn(warning)
        made = _finish(params, np.asarray(picture), matte)
        if params.crop:
            made = _cropped(made, matte)
        ctx.progress(0.95, "decode")
        share = float((matte >= SOLID).mean())
        return RawOutput(
            arrays={"0": made}, warnings=warnings, metadata={"seed": ctx.seed, "foreground": round(share, 4)}
        )

    def _matte(self, picture: Image.Image) -> Pixels:
        """Rembg stretches what its networks say to 0 to 1, which a constant or a NaN does not survive."""
        try:
            with np.errstate(invalid="raise"):
                return np.asarray(self.session.predict(picture)[0])
        except FloatingPointError as error:
            raise NotFinite(f"{self.spec.id} computed numbers that are not finite; there is no matte.") from error


def _read(file: Path) -> tuple[Image.Image, Pixels | None]:
    """The picture as RGB, what is transparent in it on white, and how opaque it was."""
    with Image.open(file, formats=("PNG",)) as opened:
        opacity = np.asarray(opened.convert("RGBA").getchannel("A")) if opened.has_transparency_data else None
        return flatten_on_white(opened), opacity


def _combined(matte: Pixels, opacity: Pixels | None) -> Pixels:
    """What was transparent before stays so."""
    if opacity is None:
        return matte
    return (matte.astype(np.uint16) * opacity // 255).astype(np.uint8)


def _warnings(params: CutoutParams, matte: Pixels) -> tuple[str, ...]:
    warnings = []
    if not (matte >= SOLID).any():
        warnings.append(NOTHING_FOUND if params.crop else "No foreground was found in the picture.")
    if params.mask_only and params.background_color is not None:
        warnings.append("`background_color` means nothing with `mask_only`; the matte was made.")
    return tuple(warnings)


def _finish(params: CutoutParams, picture: Pixels, matte: Pixels) -> Pixels:
    if params.mask_only:
        return np.repeat(matte[..., None], 3, axis=2)
    cutout = np.dstack([clean_edges(picture, matte), matte])
    if params.background_color is None:
        return cutout
    ground = Image.new("RGBA", matte.shape[::-1], (*ImageColor.getrgb(params.background_color)[:3], 255))
    return np.asarray(Image.alpha_composite(ground, Image.fromarray(cutout)).convert("RGB"))


def _cropped(made: Pixels, matte: Pixels) -> Pixels:
    """The foreground's bounding box; everything, where there is no foreground."""
    if not (matte >= SOLID).any():
        return made
    rows, columns = (np.nonzero((matte >= VISIBLE).any(axis=axis))[0] for axis in (1, 0))
    return made[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
