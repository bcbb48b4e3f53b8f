"""The lines of text in a picture: PP-OCRv6 in its small size, two networks of ONNX, one after the other.

The first says of each pixel how likely it belongs to a line (differentiable binarization, Liao et al., 2020); each
region that is likely enough becomes a rectangle, which may be turned. The second reads one rectangle after another, a
letter or nothing for each narrow part of it (connectionist temporal classification). Thresholds and preparation are
those of RapidOCR 3.10 and of PaddleOCR.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import binary_dilation, find_objects, label  # type: ignore[import-untyped]
from scipy.spatial import ConvexHull  # type: ignore[import-untyped]

from core.errors.failures import NotFinite
from pipelines.cutout.onnx_session import create_session

FINDER, READER = "find.onnx", "read.onnx"
LONGEST_SIDE = 960
"""Pixels of what is searched: small letters of a larger picture are not found."""
LETTER_HEIGHT, LEAST_WIDTH = 48, 320
"""Pixels of a line that is read; a shorter one has gray after it."""
LEAST_LETTERS = 2
"""Of a line: a single letter is more often a round thing than a letter."""
_STEP = 32
"""The sides of what is searched are multiples of it."""
_LIKELY, _REGION_LIKELY, _LINE_LIKELY = 0.3, 0.5, 0.5
"""Shares: of a pixel, of a region's pixels on average, and of a line's letters on average."""
_LARGER = 1.6
"""How much a rectangle grows: its area over its outline, so many times. What is found is the core of a line."""
_LEAST_REGION = 3
"""Pixels; smaller regions are noise."""
_UPRIGHT = 1.5
"""A rectangle so many times higher than wide is a line that runs up or down."""

Corners = NDArray[np.float64]
"""Of a rectangle: 4 x 2, x and y, clockwise from where a line begins."""


class WordReader:
    """Reads what is written in pictures, on a CPU."""

    def __init__(self, folder: Path) -> None:
        self._finder = create_session(folder / FINDER, "cpu")
        self._reader = create_session(folder / READER, "cpu")
        letters = self._reader.get_modelmeta().custom_metadata_map["character"].split("\n")
        self._letters = ["", *letters, " "]
        """The first is nothing: what lies between two letters."""

    def lines(self, picture: Image.Image) -> list[str]:
        """Return the lines of an RGB picture, from top to bottom and from left to right. Raises `NotFinite`."""
        read = ((corners, self._line(picture, corners)) for corners in self._found(picture))
        kept = [(corners, text) for corners, text in read if len(text) >= LEAST_LETTERS]
        return [text for _, text in _in_order(kept)]

    def _found(self, picture: Image.Image) -> Iterator[Corners]:
        """Yield the rectangles of lines."""
        scale = min(1.0, LONGEST_SIDE / max(picture.size))
        size = [max(_STEP, round(side * scale / _STEP) * _STEP) for side in picture.size]
        shares = self._finder.run(None, {"x": _prepared(picture.resize((size[0], size[1])))})[0][0, 0]
        if not np.isfinite(shares).all():
            raise NotFinite("The model computed values that are not finite; it read no words.")
        numbered, _ = label(binary_dilation(shares > _LIKELY, np.ones((2, 2))), np.ones((3, 3)))
        for number, place in enumerate(find_objects(numbered), start=1):
            down, across = np.nonzero(numbered[place] == number)
            is_large = min(np.ptp(down), np.ptp(across)) + 1 >= _LEAST_REGION
            if is_large and shares[place][down, across].mean() >= _REGION_LIKELY:
                points = np.stack([across + place[1].start, down + place[0].start], 1).astype(float)
                yield _rectangle(points) * np.divide(picture.size, size)

    def _line(self, picture: Image.Image, corners: Corners) -> str:
        """Return what a rectangle says; empty for what is not likely enough."""
        width, height = np.linalg.norm(corners[1] - corners[0]), np.linalg.norm(corners[3] - corners[0])
        ways = [corners] if height < _UPRIGHT * width else [np.roll(corners, 1, 0), np.roll(corners, -1, 0)]
        likely, text = max(self._read(picture, way) for way in ways)
        return text if likely >= _LINE_LIKELY else ""

    def _read(self, picture: Image.Image, corners: Corners) -> tuple[float, str]:
        """Return how likely what a rectangle says is, and the text."""
        first, second, _, fourth = corners
        width, height = np.linalg.norm(second - first), np.linalg.norm(fourth - first)
        size = max(1, round(LETTER_HEIGHT * width / height)), LETTER_HEIGHT
        quad = [float(value) for corner in corners[[0, 3, 2, 1]] for value in corner]
        line = picture.transform(size, Image.Transform.QUAD, quad, Image.Resampling.BICUBIC)
        pixels = np.zeros((1, 3, LETTER_HEIGHT, max(LEAST_WIDTH, size[0])), np.float32)
        pixels[..., : size[0]] = _prepared(line)
        shares = self._reader.run(None, {"x": pixels})[0][0]
        best = shares.argmax(1)
        kept = (best != 0) & (np.diff(best, prepend=-1) != 0)
        if not kept.any():
            return 0.0, ""
        text = "".join(self._letters[place] for place in best[kept])
        return float(shares.max(1)[kept].mean()), " ".join(text.split())


def _prepared(picture: Image.Image) -> NDArray[np.float32]:
    """Return 1 x 3 x height x width in -1 to 1: blue, green, red, as these networks were trained."""
    pixels = np.asarray(picture, np.float32)[..., ::-1] / 127.5 - 1
    prepared: NDArray[np.float32] = pixels.transpose(2, 0, 1)[None]
    return prepared


def _rectangle(points: Corners) -> Corners:
    """Return the smallest rectangle around points, grown as lines are, its first side the one that is nearest level.

    One side of the smallest one lies on a side of the hull.
    """
    hull = points[ConvexHull(points).vertices]
    sides = np.diff(hull, axis=0, append=hull[:1])
    angles = np.arctan2(sides[:, 1], sides[:, 0])
    angles -= np.pi / 2 * np.round(angles / (np.pi / 2))
    axes = np.stack([np.cos(angles), np.sin(angles), -np.sin(angles), np.cos(angles)], 1).reshape(-1, 2, 2)
    turned = np.einsum("nij,kj->nki", axes, hull)
    low, high = turned.min(1), turned.max(1)
    best = int(np.prod(high - low, axis=1).argmin())
    width, height = high[best] - low[best]
    more = width * height * _LARGER / (2 * (width + height))
    (left, top), (right, bottom) = low[best] - more, high[best] + more
    corners: Corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]]) @ axes[best]
    return corners


def _in_order(lines: list[tuple[Corners, str]]) -> list[tuple[Corners, str]]:
    """Return lines from top to bottom; those whose middle lies within the one before it are one row, left to right."""
    rows = list[list[tuple[Corners, str]]]()
    for line in sorted(lines, key=lambda one: one[0][:, 1].mean()):
        above = rows[-1][-1][0][:, 1] if rows else np.zeros(1)
        if rows and line[0][:, 1].mean() < (above.mean() + above.max()) / 2:
            rows[-1].append(line)
        else:
            rows.append([line])
    return [line for row in rows for line in sorted(row, key=lambda one: one[0][:, 0].min())]
