"""A recording that grows: parts of samples go in, and the bytes so far are the beginning of the file."""

from pathlib import Path

import numpy as np

from jobs.params.speech import SpeechParams
from pipelines.audio.files import open_audio
from pipelines.audio.samples import check_finite
from pipelines.speech.filters import TempoFilter
from pipelines.speech.loudness import LoudnessFilter
from pipelines.speech.samples import Samples
from pipelines.speech.watermark import add_watermark

HEADER_BYTES = 44
"""Bytes at the beginning of a file in which it says how long it is, if it does: written when it is closed."""


class GrowingRecording:
    """A file `<folder>/0.<name>` of `rate` samples a second, with speed, watermark and loudness of `params`.

    With `is_streamed` it can be read while it grows, as `open_audio` describes. The same parts give the same bytes.
    """

    def __init__(self, folder: Path, name: str, rate: int, params: SpeechParams, *, is_streamed: bool) -> None:
        """Begin the file. Raises `EncodeFailed`, and `OSError` for a disk that is full or missing."""
        self.path, self.rate = folder / f"0.{name}", rate
        self._params = params
        self._tempo, self._loudness = TempoFilter(rate, params.speed), LoudnessFilter(rate, params.loudness)
        self._made: list[Samples] = []
        self._file = self.path.open("wb", buffering=0)
        try:
            self._audio = open_audio(self._file, name, rate, is_streamed=is_streamed)
        except BaseException:
            self.abandon()
            raise

    @property
    def samples(self) -> Samples:
        """What is in the file, as float32 in -1 to 1."""
        return np.concatenate([np.zeros(0, np.float32), *self._made])

    @property
    def size(self) -> int:
        """Bytes of the file so far."""
        return self.path.stat().st_size

    def add(self, samples: Samples) -> None:
        """Write the next part. Raises `EncodeFailed`, and `ModelLoadFailed` without the watermarker."""
        check_finite(samples)
        self._write(self._levelled(self._tempo.change(samples)))

    def close(self) -> None:
        """Write what is left, and close the file. Raises `EncodeFailed`."""
        try:
            self._write(self._levelled(self._tempo.finish()))
            self._write(self._loudness.finish())
            self._audio.close()
        finally:
            self._file.close()

    def abandon(self) -> None:
        """Close the file as it is, and remove it."""
        self._file.close()
        self.path.unlink(missing_ok=True)

    def _levelled(self, samples: Samples) -> Samples:
        """Return what follows with watermark and loudness; the loudness comes last, so that no peak is added to it."""
        if self._params.apply_watermark and len(samples):
            samples = add_watermark(samples, self.rate)
        return self._loudness.change(samples)

    def _write(self, samples: Samples) -> None:
        if len(samples):
            self._made.append(samples)
            self._audio.write(samples)
