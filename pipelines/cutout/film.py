"""Films without their background: the matte of each frame, steadied over time, and the film on it."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor

from core.errors.fields import NotThisModel
from jobs.params.cutout import CutoutParams
from pipelines.cutout.arrays import Pixels
from pipelines.cutout.foreground import clean_edges
from pipelines.cutout.steady import SteadyMatte
from pipelines.runtime.protocol import MetadataValue, RawOutput, RunContext
from pipelines.video.clip_sound import joined_sound
from pipelines.video.clips import MOST_BYTES, ClipFacts, read_frames
from pipelines.video.color import empty_video, fill_planes

SOLID = 128
"""Of 255: from here on, a pixel is foreground."""
NO_COLOR = "`background_color` has no effect with `mask_only`; the matte was made."
NOTHING_FOUND = "No foreground was found in the film."


def cut_out_film(
    matte_of: Callable[[Image.Image], Pixels], params: CutoutParams, clip: ClipFacts, ctx: RunContext
) -> RawOutput:
    """Return the `frames` of the foreground with their `alpha`, on `background_color`, or with `mask_only` the matte.

    The sound stays. It reports after each frame. Raises `NotThisModel` for a film of too many pixels, and what
    `matte_of` raises, which returns the matte of a picture.
    """
    (width, height), count = clip.size, clip.frames
    is_transparent = not params.mask_only and params.background_color is None
    if count * width * height * 5 // 2 > MOST_BYTES:
        raise NotThisModel("The film has too many pixels; send a shorter or a smaller one.", field="$.input_video")
    frames, arrays = empty_video(ctx, count, width, height), dict[str, NDArray[np.generic]]()
    arrays["frames"] = frames
    alpha = ctx.empty("alpha", (count, height, width)) if is_transparent else None
    if alpha is not None:
        arrays["alpha"] = alpha
    steady, found = SteadyMatte(), 0.0
    ctx.progress(0.02, "step")
    for number, image in zip(range(count), read_frames(clip), strict=False):
        matte = steady.follow(image, matte_of(Image.fromarray(image)))
        found += float((matte >= SOLID).mean()) / count
        _fill(frames[number : number + 1], _shown(params, image, matte))
        if alpha is not None:
            alpha[number] = matte
        ctx.progress(0.02 + 0.96 * (number + 1) / count, "step" if number + 1 < count else "encode")
    sound = joined_sound([clip.file], [count], clip.fps)
    if sound is not None:
        arrays["sound"] = sound
    warnings = (*(() if found else (NOTHING_FOUND,)), *ignored_color(params))
    for warning in warnings:
        ctx.warn(warning)
    metadata: dict[str, MetadataValue] = {
        "seed": ctx.seed,
        "foreground": round(found, 4),
        "fps": clip.fps,
        "frames": count,
    }
    return RawOutput(arrays=arrays, warnings=warnings, metadata=metadata)


def ignored_color(params: CutoutParams) -> list[str]:
    """Return the warning for a color that a matte does not have."""
    return [NO_COLOR] if params.mask_only and params.background_color is not None else []


def _shown(params: CutoutParams, image: Pixels, matte: Pixels) -> Pixels:
    """Return what a frame shows, as RGB."""
    if params.mask_only:
        return np.repeat(matte[..., None], 3, axis=2)
    cleaned, share = clean_edges(image, matte), matte[..., None] / np.float32(255)
    if params.background_color is None:
        return _surrounded(cleaned, matte)
    ground = np.array(ImageColor.getrgb(params.background_color)[:3], np.float32)
    return np.asarray(cleaned * share + ground * (1 - share) + 0.5, np.uint8)


def _surrounded(cleaned: Pixels, matte: Pixels) -> Pixels:
    """Return the foreground on its mean color, of which encoding mixes some into its edge, where black would show."""
    solid = matte >= SOLID
    if not solid.any():
        return cleaned
    made = cleaned.copy()
    made[matte == 0] = cleaned[solid].mean(axis=0).round()
    return made


def _fill(planes: NDArray[np.uint8], rgb: Pixels) -> None:
    fill_planes(planes, np.moveaxis(rgb, -1, 0)[None].astype(np.float32) / np.float32(255))
