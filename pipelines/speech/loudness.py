"""Speech as loud as asked for, and nowhere louder than a player can play. No torch.

Loudness is the integrated one of ITU-R BS.1770 and EBU R 128, in LUFS, and a true peak the height of the wave between
the samples, too. ffmpeg measures (`ebur128`) and limits (`alimiter`).
"""

import numpy as np

from pipelines.speech.filters import FilterChain
from pipelines.speech.samples import Samples

CEILING = 0.8
"""Where the limiter begins, -1.9 dB: going back to the samples' own rate adds 0.8 dB to the peaks of white noise."""
OVERSAMPLED = 4
"""Times as many samples for the limiter, as BS.1770 has it for true peaks."""
MOST_GAIN = 24.0
"""Decibels, up or down: near silence stays near silence."""
_UNMEASURED = -70.0
"""What ffmpeg says of silence, and of less than 0.4 s."""


class LoudnessFilter:
    """Samples at `target` LUFS, a part at a time; unchanged for `None`.

    Each part gets the gain that all parts so far need together, to which the one of the part before goes over, and the
    limiter then takes the peaks: a file that comes in one part is as loud as asked for, and one in several soon is.
    """

    def __init__(self, rate: int, target: float | None) -> None:
        self._target = target
        if target is None:
            return
        self._meter = FilterChain(rate, ("ebur128", "metadata=1"))
        self._limiter = FilterChain(
            rate,
            ("aresample", str(OVERSAMPLED * rate)),
            ("alimiter", f"limit={CEILING}:attack=5:release=50:level=disabled:latency=1"),
            ("aresample", str(rate)),
        )
        self._loudness = _UNMEASURED
        self._gain: float | None = None

    def change(self, samples: Samples) -> Samples:
        """Return what follows of the changed samples, now that these have come."""
        if self._target is None or not len(samples):
            return samples
        for frame in self._meter.frames(samples):
            self._loudness = float(frame.metadata["lavfi.r128.I"])
        if self._loudness > _UNMEASURED:
            before = self._gain
            self._gain = float(np.clip(self._target - self._loudness, -MOST_GAIN, MOST_GAIN))
            gains = np.linspace(self._gain if before is None else before, self._gain, len(samples), dtype=np.float32)
            samples = (samples * 10 ** (gains / 20)).astype(np.float32)
        return self._limiter.change(samples)

    def finish(self) -> Samples:
        """Return what is left at the end."""
        return np.zeros(0, np.float32) if self._target is None else self._limiter.finish()
