"""The family `demo-motion`: a still moves as the whole picture of a driving film does. NumPy and Pillow, no weights.

Two frames are compared in nine overlapping windows by phase correlation (Kuglin and Hines, 1975). A shift and a growth
are fitted to what the windows found, without those that disagree: what moves by itself in front of a camera.
"""

from collections.abc import Iterable, Iterator
from math import sqrt
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from jobs.params.video import VideoParams
from pipelines.catalog.requirements import MOTION, check_media
from pipelines.catalog.sizes import Size
from pipelines.catalog.spec import ModelSpec
from pipelines.diffusion.sampling_settings import ignored_field_warnings
from pipelines.image.arguments import cover
from pipelines.image.inputs import read_image
from pipelines.runtime.protocol import Inputs, MetadataValue, RawOutput, RunContext
from pipelines.video.color import empty_video, fill_planes
from pipelines.video.driving import driving_clip, driving_frames, plan_driven

SIDE = 160
"""The longer side of the copies that are compared, in pixels."""
BLUR = 1.5
"""Pixels of the Gaussian that a peak of correlation becomes, whose top is then found between pixels."""
NEW_KEY = 0.08
"""A frame that moved so far, as a part of its sides, is compared no further: the next ones are compared with it."""
STILL = 0.004
"""A film that stays within this does not move, as a part of its sides."""
SCALES, BEYOND = (0.5, 4.0), 1.0
"""How much smaller and larger the still is shown, and how far beyond its edges, as a part of its sides."""
MOST_PIXELS = 64_000_000
"""Of the still with its mirror image around it, which is less sharp where it would be more."""
SAID = (
    "camera motion only: the picture moves as the whole of `motion_video` does; nothing in it moves by itself, and the "
    "prompt is not read"
)
NONE_FOUND = "no camera motion was found in `motion_video`; the picture stands still"

Gray = NDArray[np.float32]


class PlaceInFrame(msgspec.Struct, frozen=True):
    """Where the first frame lies in a later one: its magnification, and the way of its middle in parts of the sides."""

    scale: float = 1.0
    right: float = 0.0
    down: float = 0.0

    def then(self, next_one: "PlaceInFrame") -> "PlaceInFrame":
        """Return where the first frame lies after both motions."""
        right, down = (next_one.scale * own for own in (self.right, self.down))
        return PlaceInFrame(self.scale * next_one.scale, right + next_one.right, down + next_one.down)

    @property
    def distance(self) -> float:
        """How far it is from where it began: the larger of its way and of its growth."""
        return max(abs(self.right), abs(self.down), abs(self.scale - 1))


class FollowedMotion:
    """A video of `input_image` whose camera moves as that of `motion_video`."""

    def __init__(self, spec: ModelSpec, weights: Path, device: str) -> None:
        self.spec = spec

    def run(self, params: VideoParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """Make `frames` for `params`; report after every frame. Raises what `check_media` raises."""
        check_media(self.spec, inputs.files)
        clip = driving_clip(inputs)
        assert clip is not None, f"an entry of this family takes `{MOTION}`"
        plan = plan_driven(self.spec, params.duration_seconds, clip)
        ctx.progress(0.0, "prepare")
        size = (params.width, params.height)
        placements = []
        for placement in follow(driving_frames(clip, plan, _copy_size(size))):
            placements.append(placement)
            ctx.progress(0.3 * len(placements) / plan.frames, "step")
        warnings = (
            SAID,
            *plan.warnings,
            *([NONE_FOUND] if max(placement.distance for placement in placements) < STILL else []),
            *ignored_field_warnings(self.spec, params, frozenset()),
        )
        for warning in warnings:
            ctx.warn(warning)
        frames = empty_video(ctx, plan.frames, *size)
        for number, frame in enumerate(moved(read_image(inputs.files["input_image"]), size, placements)):
            rgb = np.asarray(frame, np.float32) / 255
            fill_planes(frames[number : number + 1], rgb.transpose(2, 0, 1)[None])
            done = (number + 1) / (plan.frames + 1)
            ctx.progress(0.3 + 0.7 * done, "step" if number + 1 < plan.frames else "encode")
        metadata: dict[str, MetadataValue] = {"seed": ctx.seed, "fps": plan.fps, "frames": plan.frames}
        return RawOutput(arrays={"frames": frames}, warnings=warnings, metadata=metadata)


def follow(frames: Iterable[Image.Image]) -> Iterator[PlaceInFrame]:
    """Yield where the first frame lies in each; all are of one size, of about `SIDE` pixels."""
    key: Gray | None = None
    of_key = PlaceInFrame()
    for frame in frames:
        gray = np.asarray(frame.convert("L"), np.float32)
        key = gray if key is None else key
        motion = _compare(key, gray)
        placement = of_key.then(motion)
        yield placement
        if motion.distance > NEW_KEY:
            key, of_key = gray, placement


def moved(still: Image.Image, size: Size, placements: list[PlaceInFrame]) -> Iterator[Image.Image]:
    """Yield the still in each placement, RGB of `size`; what lies beyond its edges is its mirror image."""
    limited = [_limited(placement) for placement in placements]
    windows = [_window(placement) for placement in limited]
    over = max(0.0, *(max(-min(window), max(window) - 1) for window in windows))
    sharp = _sharpness(still.size, size, max(each.scale for each in limited), over)
    whole = (round(size[0] * sharp), round(size[1] * sharp))
    margin = int(np.ceil(over * max(whole)))
    around = ((margin, margin), (margin, margin), (0, 0))
    board = Image.fromarray(np.pad(np.asarray(cover(still, whole)), around, mode="symmetric"))
    for window in windows:
        box = [edge * side + margin for edge, side in zip(window, (*whole, *whole), strict=True)]
        left, top = max(0.0, box[0]), max(0.0, box[1])
        yield board.resize(
            size, Image.Resampling.LANCZOS, box=(left, top, min(board.width, box[2]), min(board.height, box[3]))
        )


def _sharpness(still: Size, size: Size, largest: float, over: float) -> float:
    """Return how many pixels of the still a pixel of the film may have, by side: what its nearest view needs.

    With `over`, the part of its longer side that is seen beyond it, it has `MOST_PIXELS` at most, but no side of it is
    smaller than the film's.
    """
    margins = 2 * over * max(size)
    most = sqrt(MOST_PIXELS / ((size[0] + margins) * (size[1] + margins)))
    return max(1.0, min(largest, still[0] / size[0], still[1] / size[1], most))


def _copy_size(size: Size) -> Size:
    scale = SIDE / max(size)
    return max(32, round(size[0] * scale)), max(32, round(size[1] * scale))


def _limited(placement: PlaceInFrame) -> PlaceInFrame:
    """Return the nearest placement that shows no place farther than `BEYOND` from the still."""
    scale = min(max(placement.scale, SCALES[0]), SCALES[1])
    most = scale * (0.5 + BEYOND) - 0.5
    right, down = (min(max(way, -most), most) for way in (placement.right, placement.down))
    return PlaceInFrame(scale, right, down)


def _window(placement: PlaceInFrame) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of what is seen of the still, as parts of its sides."""
    across, along = (0.5 - way / placement.scale for way in (placement.right, placement.down))
    half = 0.5 / placement.scale
    return across - half, along - half, across + half, along + half


def _compare(first: Gray, second: Gray) -> PlaceInFrame:
    """Return where the one frame lies in the other."""
    height, width = first.shape
    rows, columns = height // 2, width // 2
    places = [(top, left) for top in (0, height // 4, height - rows) for left in (0, width // 4, width - columns)]
    found = [
        _shift(*(gray[top : top + rows, left : left + columns] for gray in (first, second))) for top, left in places
    ]
    middles = np.array([(left + columns / 2 - width / 2, top + rows / 2 - height / 2) for top, left in places])
    shifts, weights = np.array([shift for shift, _ in found]), np.array([clear for _, clear in found])
    growth, way = _fit(middles, shifts, weights)
    errors = np.hypot(*(shifts - growth * middles - way).T)
    growth, way = _fit(middles, shifts, weights * (errors <= 2 * np.median(errors) + 0.1))
    return PlaceInFrame(1 + growth, float(way[0] / width), float(way[1] / height))


def _fit(
    middles: NDArray[np.float64], shifts: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Return the growth about the middle of the frame, and its shift, that fit best; none where nothing is clear."""
    if weights.sum() < 1e-3:
        return 0.0, np.zeros(2)
    share = (weights / weights.sum())[:, None]
    middle, shift = (share * middles).sum(0), (share * shifts).sum(0)
    spread = float((share * (middles - middle) ** 2).sum())
    growth = float((share * (middles - middle) * (shifts - shift)).sum()) / spread if spread > 1 else 0.0
    return growth, shift - growth * middle


def _shift(first: Gray, second: Gray) -> tuple[tuple[float, float], float]:
    """Return how far one window lies to the right and down in the other, in pixels, and how clear that is, 0 to 1."""
    height, width = first.shape
    hann = np.outer(np.hanning(height), np.hanning(width))
    one, other = (np.fft.fft2((gray - gray.mean()) * hann) for gray in (first, second))
    cross = other * one.conj()
    along, across = np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None]
    blur = np.exp(-2 * (np.pi * BLUR) ** 2 * (along**2 + across**2))
    peaks = np.fft.ifft2(cross / np.maximum(np.abs(cross), 1e-3) * blur).real / blur.mean()
    row, column = np.unravel_index(int(np.argmax(peaks)), peaks.shape)
    down = row + _top(*(peaks[(row + step) % height, column] for step in (-1, 0, 1)))
    right = column + _top(*(peaks[row, (column + step) % width] for step in (-1, 0, 1)))
    shift = ((right + width / 2) % width - width / 2, (down + height / 2) % height - height / 2)
    return shift, max(0.0, float(peaks[row, column])) ** 2


def _top(before: float, at: float, after: float) -> float:
    """Return where a Gaussian has its top, from its values a pixel before the largest, there, and a pixel after."""
    low, middle, high = (np.log(max(value, 1e-6)) for value in (before, at, after))
    bend = low - 2 * middle + high
    return 0.0 if bend >= 0 else float(0.5 * (low - high) / bend)
