"""Number of frames of a video of a given duration. No torch."""

from math import ceil, floor

import msgspec

from pipelines.catalog.spec import ModelSpec

FPS = 24
"""Frames per second of a model without `defaults.fps`."""


class FramePlan(msgspec.Struct, frozen=True):
    """`frames` at `fps` frames per second, made in `clips`; `warnings` say what is relevant to the one who asked.

    `clips` are frames that are made at once. Each clip after the first begins with the last frame of the one before,
    so that together they have a frame for each but the first more than the video.
    """

    frames: int
    fps: int
    clips: tuple[int, ...]
    warnings: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """Duration of the video."""
        return self.frames / self.fps


def plan_frames(spec: ModelSpec, seconds: float) -> FramePlan:
    """Return the legal number of frames nearest to `seconds`: `limits.frame_step` n + 1 with n at least 1.

    They are those nearest to a duration that the limits allow, so that 5 s may have 121 frames at 24 per second. A
    difference of up to half a frame step comes from how these models count and causes no warning.
    """
    fps, step = spec.defaults.fps or FPS, spec.limits.frame_step
    frames = _legal(spec.limits.nearest_seconds(seconds) * fps, step)
    clips, warnings = _clips(frames, step, spec.limits.clip_seconds, fps), []
    if abs(frames - seconds * fps) > step / 2 + 1e-6:
        made = f"{frames / fps:.2f} s ({frames} frames at {fps} per second)"
        warnings.append(f"{spec.id} makes {made} instead of {seconds:g} s")
    if len(clips) > 1:
        warnings.append(
            f"{spec.id} makes {spec.limits.clip_seconds:g} s at once; "
            f"made {len(clips)} clips, each from the last frame of the one before"
        )
    return FramePlan(frames, fps, clips, tuple(warnings))


def _clips(frames: int, step: int, seconds: float | None, fps: int) -> tuple[int, ...]:
    """Return as few clips of at most so many seconds as there may be, of about the same number of frames."""
    if seconds is None:
        return (frames,)
    steps, most = (frames - 1) // step, (_legal(seconds * fps, step) - 1) // step
    count = ceil(steps / most)
    return tuple((steps + place) // count * step + 1 for place in reversed(range(count)))


def _legal(wanted: float, step: int) -> int:
    return step * max(1, floor((wanted - 1) / step + 0.5)) + 1
