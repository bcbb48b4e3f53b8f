"""The sound of films of which others are made: that of each, in step with its frames, or silence."""

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from pipelines.video.encode import SOUND_RATE


def joined_sound(films: Sequence[Path], counts: Sequence[int], fps: int) -> NDArray[np.int16] | None:
    """Return the sound of films of so many frames: n x 2 samples, 48,000 a second; None where no film has any."""
    ends = [round(int(end) * SOUND_RATE / fps) for end in np.cumsum([0, *counts])]
    sound = np.zeros((ends[-1], 2), np.int16)
    parts = zip(films, ends, ends[1:], strict=False)
    heard = [_fill(sound[begin:end], film) for film, begin, end in parts]
    return sound if any(heard) else None


def _fill(part: NDArray[np.int16], film: Path) -> bool:
    """Write the sound of a film into `part`, and return whether it has any; what is longer is left out."""
    resampler = av.AudioResampler(format="s16", layout="stereo", rate=SOUND_RATE)
    with av.open(str(film), format="mp4") as container:
        if not container.streams.audio:
            return False
        place = 0
        for frame in container.decode(audio=0):
            for piece in resampler.resample(frame):
                samples = piece.to_ndarray().reshape(-1, 2)[: len(part) - place]
                part[place : place + len(samples)] = samples
                place += len(samples)
    return True
