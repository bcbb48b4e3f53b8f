"""Segments as a pipeline returns them: a map of numbers, what each number is, and the picture under their colors.

The map has a byte for each pixel: 0 where nothing is, else the number of its segment, from 1, the largest first. So
segments do not overlap, and there are at most `MOST`.
"""

import colorsys
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import find_objects  # type: ignore[import-untyped]

from core.errors.fields import NotThisModel
from jobs.params.cutout import SegmentParams
from pipelines.runtime.protocol import RawOutput, RunContext

MOST = 255
LONGEST = 600
"""Times the shorter side that the longer one may be: networks see a picture of 640 pixels or more, none thinner than a
pixel there."""
GOLDEN = 0.618033988749895
"""Steps of this much around the circle of hues keep any number of colors apart."""
NOTHING = "No segment was found; lower `threshold`, or leave `classes` out. The map is empty."


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a picture: `id` is its number in the map, `color` the one that its pixels have in the file.

    `box` is left, top, right and bottom, in pixels, the last two just outside; `area` is how many pixels it has.
    `score` is how sure the model is, 0 to 1.
    """

    id: int
    label: str
    score: float
    box: tuple[int, int, int, int]
    area: int
    color: str


class Found(msgspec.Struct, frozen=True):
    """What a model found: the label and the score of a part."""

    label: str
    score: float


class Segments(msgspec.Struct, frozen=True, kw_only=True):
    """All parts of a picture of this size, the largest first; they are what the file of JSON holds."""

    width: int
    height: int
    segments: list[Segment]


def refuse_strip(size: tuple[int, int]) -> None:
    """Raise `NotThisModel` for a picture that is too thin to be a pixel wide at the size of a network's input."""
    if max(size) > LONGEST * min(size):
        sentence = f"`input_image` is {size[0]}x{size[1]}; one side may be {LONGEST} times the other at most: cut it."
        raise NotThisModel(sentence, field="$.input_image")


def palette() -> NDArray[np.uint8]:
    """Return the colors of the numbers, 256 x 3: black for 0."""
    colors = [colorsys.hsv_to_rgb(number * GOLDEN % 1, (0.65, 0.9)[number % 2], 0.95) for number in range(MOST)]
    return np.asarray(np.round(255 * np.array([(0, 0, 0), *colors])), np.uint8)


def output_of(
    picture: Image.Image,
    parts: NDArray[np.integer],
    found: Sequence[Found],
    params: SegmentParams,
    ctx: RunContext,
    warnings: Sequence[str] = (),
) -> RawOutput:
    """Return what `pipelines.segment.encode` writes: `map`, `segments` as JSON, and "0", the picture under the colors.

    `parts` has the index in `found` of each pixel's part, or -1, and may be smaller than the picture, RGB. Parts with
    labels that the request did not ask for are left out.
    """
    numbers, kept = _by_size(parts, found, params)
    drawn = np.asarray(Image.fromarray(numbers).resize(picture.size, Image.Resampling.NEAREST))
    colors = palette()
    warnings = (*warnings, *([] if kept else [NOTHING]))
    for warning in warnings:
        ctx.warn(warning)
    areas, boxes = np.bincount(drawn.ravel(), minlength=len(kept) + 1), find_objects(drawn, len(kept))
    listed = [
        Segment(
            id=number,
            label=one.label,
            score=round(one.score, 4),
            box=(box[1].start, box[0].start, box[1].stop, box[0].stop),
            area=int(areas[number]),
            color="#{:02X}{:02X}{:02X}".format(*colors[number]),
        )
        for number, (one, box) in enumerate(zip(kept, boxes, strict=True), start=1)
    ]
    content = msgspec.json.encode(Segments(width=picture.width, height=picture.height, segments=listed))
    under = np.asarray(picture)
    shown = np.where(drawn[..., None] > 0, under // 2 + colors[drawn] // 2, under)
    return RawOutput(
        arrays={"0": shown, "map": drawn, "segments": np.frombuffer(content, np.uint8)},
        warnings=tuple(warnings),
        metadata={"seed": ctx.seed, "segments": len(kept)},
    )


def _by_size(
    parts: NDArray[np.integer], found: Sequence[Found], params: SegmentParams
) -> tuple[NDArray[np.uint8], list[Found]]:
    """Return the map of the parts that are kept, the largest first, and these parts."""
    asked = {name.strip().casefold() for name in params.classes}
    areas = np.bincount((parts + 1).ravel(), minlength=len(found) + 1)[1:]
    order = [int(index) for index in np.argsort(-areas, kind="stable") if areas[index]]
    kept = [index for index in order if not asked or found[index].label.casefold() in asked][:MOST]
    numbers = np.zeros(len(found) + 1, np.uint8)
    numbers[[index + 1 for index in kept]] = np.arange(1, len(kept) + 1)
    return numbers[parts + 1], [found[index] for index in kept]
