"""The family `demo-camera`: a camera moves over a still. Pillow and NumPy, one core, no weights.

A request without a still has one drawn (`pipelines/video/scenery.py`). The first frame is the still. A frame is one
Lanczos resize of a window with fractional edges, so the move has no jitter, and detail of a larger still appears as the
camera comes closer.
"""

from collections.abc import Iterator
from math import cos, pi, sin
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from jobs.params.video import VideoParams
from pipelines.catalog.requirements import check_media
from pipelines.catalog.spec import ModelSpec
from pipelines.diffusion.prompt_scope import scope_warnings
from pipelines.diffusion.sampling_settings import ignored_field_warnings
from pipelines.image.inputs import read_image
from pipelines.runtime.protocol import Inputs, MetadataValue, RawOutput, RunContext
from pipelines.sound.beside import film_sound
from pipelines.video.color import empty_video, fill_planes
from pipelines.video.frames import FramePlan, plan_frames
from pipelines.video.moves import Move, choose_move
from pipelines.video.scenery import draw_still

NEARER, FARTHER = (0.08, 0.4), (0.05, 0.25)
"""How much larger or smaller things get: per second, and at most."""
SWAY = 0.04
"""How far the middle moves aside in an orbit, as a part of the width."""
BANDS = 32
"""Vertical bands of the mesh that bends a frame in an orbit."""

Size = tuple[int, int]


class CameraMove:
    """A video from `input_image`, or from what the prompt names; prompt and seed choose the move (`moves`)."""

    def __init__(self, spec: ModelSpec, weights: Path, device: str) -> None:
        self.spec = spec

    def run(self, params: VideoParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """Make `frames` for `params`; report after every frame. Raises what `check_media` raises."""
        check_media(self.spec, inputs.files)
        plan, move = plan_frames(self.spec, params.duration_seconds), choose_move(params.prompt, ctx.seed)
        heard = film_sound(self.spec, params.prompt, ctx.seed, plan.seconds) if params.sound else None
        warnings = (
            *([heard.warning] if heard else []),
            *scope_warnings(self.spec, heard.rest if heard else params.prompt),
            *plan.warnings,
            *ignored_field_warnings(self.spec, params, frozenset()),
        )
        for warning in warnings:
            ctx.warn(warning)
        ctx.progress(0.0, "prepare")
        size = (params.width, params.height)
        frames = empty_video(ctx, plan.frames, *size)
        file = inputs.files.get("input_image")
        still = draw_still(params.prompt, ctx.seed, size) if file is None else read_image(file)
        for number, frame in enumerate(render_frames(still, size, plan, move)):
            rgb = np.asarray(frame, np.float32) / 255
            fill_planes(frames[number : number + 1], rgb.transpose(2, 0, 1)[None])
            ctx.progress((number + 1) / (plan.frames + 1), "step" if number + 1 < plan.frames else "encode")
        metadata: dict[str, MetadataValue] = {
            "seed": ctx.seed,
            "fps": plan.fps,
            "frames": plan.frames,
            "camera": move.words,
        }
        arrays: dict[str, NDArray[Any]] = {"frames": frames}
        if heard is not None and heard.sound is not None:
            arrays["sound"] = heard.sound
        return RawOutput(arrays=arrays, warnings=warnings, metadata=metadata)


def render_frames(still: Image.Image, size: Size, plan: FramePlan, move: Move) -> Iterator[Image.Image]:
    """Yield the frames, RGB of `size` (width, height); the first shows the part of `still` that covers `size`."""
    largest = _magnification(move, plan.seconds)
    board, margin = _board(still, size, largest)
    whole = (board.width - 2 * margin, board.height - 2 * margin)
    for number in range(plan.frames):
        eased = (1 - cos(pi * number / (plan.frames - 1))) / 2
        box = _edges(_window(move, largest**eased), whole, margin)
        frame = board.resize(size, Image.Resampling.LANCZOS, box=box)
        yield _bend(frame, -move.orbit * SWAY * move.reach * sin(2 * pi * eased)) if move.orbit else frame


def _magnification(move: Move, seconds: float) -> float:
    """Return the magnification of the last frame."""
    if move.zoom < 0:
        return 1 / (1 + min(FARTHER[0] * seconds * move.reach, FARTHER[1]))
    if move.zoom or move.right or move.down:
        return 1 + min(NEARER[0] * seconds * move.reach, NEARER[1])
    return 1.0


def _window(move: Move, magnification: float) -> tuple[float, float, float]:
    """Return left, top and extent of what the camera sees, as parts of the still's sides."""
    extent = 1 / magnification
    room = (1 - extent) / 2
    travel = room if room > 0 else -room / 2
    return room + move.right * travel, room + move.down * travel, extent


def _edges(window: tuple[float, float, float], whole: Size, margin: int) -> tuple[float, float, float, float]:
    """Return the window in pixels of the board, clamped to it against rounding errors."""
    left, top, extent = window
    across = [min(max(edge * whole[0] + margin, 0.0), whole[0] + 2.0 * margin) for edge in (left, left + extent)]
    along = [min(max(edge * whole[1] + margin, 0.0), whole[1] + 2.0 * margin) for edge in (top, top + extent)]
    return across[0], along[0], across[1], along[1]


def _board(still: Image.Image, size: Size, largest: float) -> tuple[Image.Image, int]:
    """Return what the camera looks at, and the margin of mirror image around it.

    It is not larger than its nearest view needs.
    """
    scale = min(still.width / size[0], still.height / size[1])
    part = (size[0] * scale, size[1] * scale)
    left, top = (still.width - part[0]) / 2, (still.height - part[1]) / 2
    fit = min(scale, max(1.0, largest))
    shape = (max(1, round(size[0] * fit)), max(1, round(size[1] * fit)))
    box = (left, top, left + part[0], top + part[1])
    board = still.resize(shape, Image.Resampling.LANCZOS, box=box)
    if largest >= 1:
        return board, 0
    margin = min(round(max(shape) * (1 / largest - 1)), *shape)
    around = ((margin, margin), (margin, margin), (0, 0))
    return Image.fromarray(np.pad(np.asarray(board), around, mode="symmetric")), margin


def _bend(frame: Image.Image, aside: float) -> Image.Image:
    """Return the frame with its middle moved `aside` (a part of the width, to the right) and its edges in place.

    Every row moves alike, so vertical lines stay vertical, as if the image were on a column that turns.
    """
    along = np.linspace(0, 1, BANDS + 1)
    shown = np.rint(along * frame.width).astype(int).tolist()
    seen = (np.array(shown) - aside * frame.width * np.sin(pi * along) ** 2).tolist()
    height = frame.height
    mesh = [
        ((shown[i], 0, shown[i + 1], height), (seen[i], 0, seen[i], height, seen[i + 1], height, seen[i + 1], 0))
        for i in range(BANDS)
    ]
    return frame.transform(frame.size, Image.Transform.MESH, mesh, Image.Resampling.BICUBIC)
