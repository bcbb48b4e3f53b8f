"""The recording of an avatar clip: its samples, as the film has them and as a network hears them. PyAV, no torch."""

from pathlib import Path
from typing import Any

import av
import msgspec
import numpy as np
from numpy.typing import NDArray

from pipelines.video.encode import SOUND_RATE

FPS = 25
"""Frames a second of an avatar clip."""
HEARD_RATE = 16_000
"""Samples a second of what is heard: those of Whisper."""


class Voice(msgspec.Struct, frozen=True):
    """A recording: `sound` for the film (int16, n x 2, 48 kHz), `heard` for a network (float32, one axis, 16 kHz)."""

    sound: NDArray[np.int16]
    heard: NDArray[np.float32]

    @property
    def frames(self) -> int:
        """How many frames of the film it lasts, at least one."""
        return max(1, round(len(self.heard) * FPS / HEARD_RATE))


def read_voice(file: Path) -> Voice:
    """Read the clean copy of a recording."""
    sound = _samples(file, "s16", "stereo", SOUND_RATE).reshape(-1, 2)
    return Voice(sound, _samples(file, "flt", "mono", HEARD_RATE))


def _samples(file: Path, format_: str, layout: str, rate: int) -> NDArray[Any]:
    resampler = av.AudioResampler(format=format_, layout=layout, rate=rate)
    with av.open(str(file), format="wav") as container:
        frames = [piece for frame in container.decode(audio=0) for piece in resampler.resample(frame)]
    frames += resampler.resample(None)
    return np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames])
