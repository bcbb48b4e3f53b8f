"""How many frames a film of so many seconds has. No torch."""

from math import floor

import msgspec

from pipelines.catalog.spec import ModelSpec

FPS = 24
"""Frames per second of a model whose `defaults.fps` says nothing."""


class FramePlan(msgspec.Struct, frozen=True):
    """`frames` at `fps` frames per second; `warning` says what differs from the duration asked for, if it matters."""

    frames: int
    fps: int
    warning: str | None = None

    @property
    def seconds(self) -> float:
        """How long the film is."""
        return self.frames / self.fps


def plan_frames(spec: ModelSpec, seconds: float) -> FramePlan:
    """The legal number of frames nearest to `seconds`: `limits.frame_step` n + 1 with n at least 1.

    At most those nearest to `limits.max_seconds`, so that 5 s may have 121 frames at 24 per second. A difference of
    up to half a frame step is how these models count, and no reason for a warning.
    """
    fps, step = spec.defaults.fps or FPS, spec.limits.frame_step
    frames = _legal(min(seconds, spec.limits.max_seconds) * fps, step)
    warning = None
    if abs(frames - seconds * fps) > step / 2 + 1e-6:
        warning = (
            f"{spec.id} makes {frames / fps:.2f} s ({frames} frames at {fps} per second) in place of {seconds:g} s"
        )
    return FramePlan(frames, fps, warning)


def _legal(wanted: float, step: int) -> int:
    return step * max(1, floor((wanted - 1) / step + 0.5)) + 1
