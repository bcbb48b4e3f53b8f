"""Samples of audio as models return them. No codec is imported: the engine reads them, too."""

import numpy as np
from numpy.typing import NDArray

from core.errors.failures import EncodeFailed
from pipelines.runtime.protocol import RawOutput


def read_samples(raw: RawOutput, channels: int) -> tuple[NDArray[np.float32], int]:
    """Return the samples of an output, and how many are a second.

    They are float32 in -1 to 1, with one axis, or with a second one of at most `channels`, 1 or 2. Raises
    `EncodeFailed` for an array that is not such audio.
    """
    samples, rate = raw.arrays.get("samples"), raw.metadata.get("sample_rate")
    if samples is None or samples.dtype != np.float32 or not _has_channels(samples, channels):
        raise EncodeFailed("Audio is `samples`: float32, one axis, or n x 2 where there may be two channels.")
    if not isinstance(rate, int) or rate < 1:
        raise EncodeFailed("Audio needs its `sample_rate`, a whole number.")
    check_finite(samples)
    return samples, rate


def check_finite(samples: NDArray[np.float32]) -> None:
    """Raise `EncodeFailed` for samples that are not finite."""
    if not np.isfinite(samples).all():
        raise EncodeFailed("The model computed samples that are not finite; it made no audio.")


def pcm_of(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    """Return samples as 16-bit PCM, clipped to -1 to 1."""
    return np.round(np.clip(samples, -1, 1) * 32767).astype("<i2")


def _has_channels(samples: NDArray[np.float32], most: int) -> bool:
    """Return whether there are samples at all, of so many channels or fewer."""
    return samples.size > 0 and (samples.ndim == 1 or (samples.ndim == 2 and samples.shape[1] <= most))
