"""Number of frames of a video of a given duration. No torch."""

from math import floor

import msgspec

from pipelines.catalog.spec import ModelSpec

FPS = 24
"""Frames per second of a model without `defaults.fps`."""


class FramePlan(msgspec.Struct, frozen=True):
    """`frames` at `fps` frames per second; `warning` names a relevant difference from the requested duration."""

    frames: int
    fps: int
    warning: str | None = None

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
    warning = None
    if abs(frames - seconds * fps) > step / 2 + 1e-6:
        warning = f"{spec.id} makes {frames / fps:.2f} s ({frames} frames at {fps} per second) instead of {seconds:g} s"
    return FramePlan(frames, fps, warning)


def _legal(wanted: float, step: int) -> int:
    return step * max(1, floor((wanted - 1) / step + 0.5)) + 1
