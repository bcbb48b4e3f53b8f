"""The family `vtracer`: a picture as shapes, by the library of that name. No weights, no GPU.

A picture that would become a drawing of more than `MAX_PATHS` or `MAX_SVG_BYTES` is refused where the request names
its `detail`. Otherwise it is traced again at half its size, until it does not, and a warning says so.
"""

from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import vtracer
from PIL import Image

from core.errors.failures import PipelineFailed
from core.errors.inputs import PictureTooBusy
from jobs.params.vectorize import VectorizeParams
from pipelines.catalog.limits import MAX_PATHS, MAX_SVG_BYTES
from pipelines.catalog.spec import ModelSpec
from pipelines.image.visible_mark import mark_image
from pipelines.runtime.protocol import Inputs, RawOutput, RunContext
from pipelines.vectorize.picture import (
    MAX_BOUNDARIES,
    Picture,
    Pixels,
    count_boundaries,
    gray,
    halved,
    palette_of,
    read_picture,
    reduce_colors,
)
from pipelines.vectorize.svg import FilledPath, Frame, read_shapes, write_svg

MODES = {"spline": "spline", "polygon": "polygon", "pixel": "none"}
DECIMALS = 2
USUAL_DETAIL = "medium"
NOTHING = "There is nothing in the picture that could be traced; the SVG is empty."
TOO_BUSY = (
    "With `detail` {detail} the picture becomes more than the {paths} shapes or {bytes} bytes that an SVG may have; "
    "leave `detail` out to have it drawn coarser, or send a smaller or smoother picture. Vectorizing is meant for "
    "logos, icons and flat art."
)
BUSY = (
    "The picture has more detail than {paths} shapes can show; it was traced at {width}x{height}, which averages its "
    "grain. Vectorizing is meant for logos, icons and flat art."
)


class Tracing(msgspec.Struct, frozen=True):
    """How finely a picture is traced, in vtracer's terms.

    `precision` is the bits of a channel by which colors are distinguished, `step` how far the colors of two layers lie
    apart (of 255), and `segment` the least length of a piece of a curve, in pixels.
    """

    precision: int
    step: int
    segment: float


TRACINGS = {"low": Tracing(4, 48, 8.0), "medium": Tracing(6, 16, 4.0), "high": Tracing(7, 8, 3.5)}
EXACT = Tracing(8, 0, 4.0)
"""For a picture whose colors were reduced before: each of them counts."""


class Drawing(msgspec.Struct, frozen=True):
    """A picture as it was traced, RGBA, and what was made of it: the SVG and how many paths it has."""

    pixels: Pixels
    svg: bytes
    paths: int

    @property
    def is_within_bounds(self) -> bool:
        """Whether it may leave as it is."""
        return self.paths <= MAX_PATHS and len(self.svg) <= MAX_SVG_BYTES

    @property
    def shown(self) -> Pixels:
        """The picture without the alpha that it does not need."""
        return self.pixels if (self.pixels[..., 3] == 0).any() else self.pixels[..., :3]


class VTracer:
    """Traces the picture."""

    def __init__(self, spec: ModelSpec, weights: Path, device: str) -> None:
        self.spec = spec

    def run(self, params: VectorizeParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """Return `svg`, the bytes of the file, and "0", the picture as it was traced; report before every tracing.

        Raises `PictureTooBusy` where the `detail` of the request is too much for the picture, and `PipelineFailed`.
        """
        ctx.progress(0.05, "prepare")
        picture = read_picture(inputs.files["input_image"], is_flat=params.color_mode == "binary")
        if params.watermark == "always":
            picture = msgspec.structs.replace(picture, pixels=mark_image(picture.pixels))
        drawing = _draw_within_bounds(picture, params, ctx)
        warnings = tuple(_warnings(drawing, is_whole=drawing.pixels.shape == picture.pixels.shape))
        for warning in warnings:
            ctx.warn(warning)
        ctx.progress(1.0, "encode")
        width, height = picture.size
        return RawOutput(
            arrays={"0": drawing.shown, "svg": np.frombuffer(drawing.svg, np.uint8)},
            warnings=warnings,
            metadata={"seed": ctx.seed, "paths": drawing.paths, "width": width, "height": height},
        )


def _draw_within_bounds(picture: Picture, params: VectorizeParams, ctx: RunContext) -> Drawing:
    """Return the drawing of the picture, or of the first smaller one that is not too busy.

    Raises `PictureTooBusy` rather than to draw with another `detail` than the request names.
    """
    tracing, pixels, share = _tracing(params), picture.pixels, 0.2
    while True:
        reduced = _simplified(pixels, params)
        if count_boundaries(reduced, tracing.precision) <= MAX_BOUNDARIES:
            ctx.progress(share, "step")
            drawing = _draw(reduced, picture.size, params, tracing)
            if drawing.is_within_bounds:
                return drawing
            share = (1 + share) / 2
        if params.detail is not None:
            sentence = TOO_BUSY.format(detail=params.detail, paths=MAX_PATHS, bytes=MAX_SVG_BYTES)
            raise PictureTooBusy(sentence, field="$.detail")
        pixels = halved(pixels)


def _tracing(params: VectorizeParams) -> Tracing:
    asked = TRACINGS[params.detail or USUAL_DETAIL]
    return msgspec.structs.replace(EXACT, segment=asked.segment) if params.colors is not None else asked


def _simplified(pixels: Pixels, params: VectorizeParams) -> Pixels:
    """Return the picture in the colors that were asked for."""
    if params.color_mode == "binary":
        return gray(pixels)
    return pixels if params.colors is None else reduce_colors(pixels, params.colors)


def _draw(pixels: Pixels, size: tuple[int, int], params: VectorizeParams, tracing: Tracing) -> Drawing:
    """Return the drawing of a picture, which shows it in this size."""
    height, width = pixels.shape[:2]
    has_holes = bool((pixels[..., 3] == 0).any())
    # vtracer leaves out what is transparent only in a picture that has much of it: one row above all makes it enough
    traced = np.concatenate([np.zeros((1, width, 4), np.uint8), pixels]) if has_holes else pixels
    shapes = _trace(traced, params, tracing)
    if params.colors is not None and params.color_mode == "color":
        shapes = _in_palette(shapes, pixels)
    svg = write_svg(shapes, Frame(*size, (0, int(has_holes), width, height)))
    return Drawing(pixels, svg, len(shapes))


def _trace(pixels: Pixels, params: VectorizeParams, tracing: Tracing) -> list[FilledPath]:
    """Return the shapes of a picture. Raises `PipelineFailed` where vtracer fails."""
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=0)
    settings: dict[str, Any] = {
        "colormode": params.color_mode,
        "mode": MODES[params.mode],
        "filter_speckle": params.filter_speckle,
        "color_precision": tracing.precision,
        "layer_difference": tracing.step,
        "corner_threshold": params.corner_threshold,
        "length_threshold": tracing.segment,
        "path_precision": DECIMALS,
    }
    try:
        return read_shapes(vtracer.convert_raw_image_to_svg(file.getvalue(), "png", **settings).encode())
    except Exception as error:
        raise PipelineFailed(f"vtracer could not trace this picture ({error}); try another mode or detail.") from error


def _in_palette(shapes: Sequence[FilledPath], pixels: Pixels) -> list[FilledPath]:
    """Return the shapes in the colors of the picture: vtracer averages those of a shape and the speckles within it."""
    palette = palette_of(pixels)

    def nearest(fill: str) -> str:
        color = np.array([int(fill[place : place + 2], 16) for place in (1, 3, 5)])
        red, green, blue = palette[((palette - color) ** 2).sum(axis=1).argmin()]
        return f"#{red:02X}{green:02X}{blue:02X}"

    return [msgspec.structs.replace(shape, fill=nearest(shape.fill)) for shape in shapes]


def _warnings(drawing: Drawing, *, is_whole: bool) -> Iterator[str]:
    height, width = drawing.pixels.shape[:2]
    if not is_whole:
        yield BUSY.format(paths=MAX_PATHS, width=width, height=height)
    if not drawing.paths:
        yield NOTHING
