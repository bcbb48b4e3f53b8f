"""The family `rembg`: background removal by one of rembg's sessions, on ONNX Runtime."""

import logging
from pathlib import Path

import numpy as np
from PIL import Image, ImageColor

from core.errors.failures import ModelLoadFailed, NotFinite
from jobs.params.cutout import CutoutParams
from pipelines.catalog.spec import ModelSpec
from pipelines.cutout.arrays import Pixels
from pipelines.cutout.film import SOLID, cut_out_film, ignored_color
from pipelines.cutout.foreground import clean_edges
from pipelines.cutout.onnx_session import cpu_fallback
from pipelines.cutout.sessions import open_session
from pipelines.image.flatten import flatten_on_white
from pipelines.runtime.protocol import Inputs, RawOutput, RunContext
from pipelines.video.clips import read_facts

VISIBLE = 26
"""Of 255: from here on, a crop keeps a pixel."""
NOTHING_FOUND = "No foreground was found in the image; it was not cropped."

log = logging.getLogger(__name__)


class RembgCutout:
    """Background removal by the rembg session named like the model or its `variant`.

    The matte equals that of the same rembg session called directly.
    """

    def __init__(self, spec: ModelSpec, weights: Path, device: str) -> None:
        files = sorted(weights.glob("*.onnx"))
        if len(files) != 1:
            raise ModelLoadFailed(f"The folder must hold one .onnx file; it holds {len(files)}.")
        self.spec = spec
        self.session = open_session(spec.variant or spec.id, files[0], device, spec.vram_bytes)
        reason = cpu_fallback(self.session.inner_session, device)
        self.warnings = (reason,) if reason else ()
        if reason:
            log.warning("cutout: %s %s", spec.id, reason)

    def run(self, params: CutoutParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """Return one image: RGBA, RGB on `background_color`, or the matte as RGB with `mask_only`.

        A cut-out that the encoder puts on its color is RGBA. A film is described in `pipelines.cutout.film`.
        """
        ctx.progress(0.0, "prepare")
        if "input_video" in inputs.files:
            return cut_out_film(self._matte, params, read_facts(inputs.files["input_video"]), ctx)
        image, opacity = _read(inputs.files["image_url"])
        ctx.progress(0.1, "step")
        matte = _combined(self._matte(image, semitransparency=params.semitransparency), opacity)
        ctx.progress(0.7, "decode")
        warnings = _warnings(params, matte)
        for warning in warnings:
            ctx.warn(warning)
        made = _finish(params, np.asarray(image), matte)
        if params.crop:
            made = _cropped(made, matte)
        ctx.progress(0.95, "decode")
        share = float((matte >= SOLID).mean())
        return RawOutput(
            arrays={"0": made}, warnings=warnings, metadata={"seed": ctx.seed, "foreground": round(share, 4)}
        )

    def _matte(self, image: Image.Image, *, semitransparency: bool = False) -> Pixels:
        """Return the matte; raise `NotFinite` where rembg cannot scale the network's output to 0 to 1."""
        try:
            with np.errstate(invalid="raise"):
                return np.asarray(self.session.predict(image, semitransparency=semitransparency)[0])
        except FloatingPointError as error:
            raise NotFinite(f"{self.spec.id} computed values that are not finite; it made no matte.") from error


def _read(file: Path) -> tuple[Image.Image, Pixels | None]:
    """Return the image as RGB with transparency on white, and its opacity, `None` if it has no alpha."""
    with Image.open(file, formats=("PNG",)) as opened:
        opacity = np.asarray(opened.convert("RGBA").getchannel("A")) if opened.has_transparency_data else None
        return flatten_on_white(opened), opacity


def _combined(matte: Pixels, opacity: Pixels | None) -> Pixels:
    """Return `matte` with everything transparent that was transparent before."""
    if opacity is None:
        return matte
    return (matte.astype(np.uint16) * opacity // 255).astype(np.uint8)


def _warnings(params: CutoutParams, matte: Pixels) -> tuple[str, ...]:
    warnings = []
    if not (matte >= SOLID).any():
        warnings.append(NOTHING_FOUND if params.crop else "No foreground was found in the image.")
    return (*warnings, *ignored_color(params))


def _finish(params: CutoutParams, image: Pixels, matte: Pixels) -> Pixels:
    if params.mask_only:
        return np.repeat(matte[..., None], 3, axis=2)
    cutout = np.dstack([clean_edges(image, matte), matte])
    if params.background_color is None or params.is_placed_by_encoder:
        return cutout
    ground = Image.new("RGBA", matte.shape[::-1], (*ImageColor.getrgb(params.background_color)[:3], 255))
    return np.asarray(Image.alpha_composite(ground, Image.fromarray(cutout)).convert("RGB"))


def _cropped(made: Pixels, matte: Pixels) -> Pixels:
    """Return the foreground's bounding box, or everything if nothing is foreground."""
    if not (matte >= SOLID).any():
        return made
    rows, columns = (np.nonzero((matte >= VISIBLE).any(axis=axis))[0] for axis in (1, 0))
    return made[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
