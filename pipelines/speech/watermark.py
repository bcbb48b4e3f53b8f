"""The watermark of Perth (https://github.com/resemble-ai/Perth): inaudible, and marks speech as generated.

It is added by the encoder process: a network on the CPU, in whose time the device computes the next job. Perth works at
32,000 samples a second; soxr resamples other rates there and back.
"""

import warnings
from functools import cache
from typing import Any

import numpy as np
import soxr

from core.errors.failures import ModelLoadFailed
from pipelines.runtime import torchaudio_stub
from pipelines.speech.samples import Samples

RATE = 32_000
_MISSING = "The watermarker is not installed on this server; ask the operator to run `make setup`."
_MIN_SAMPLES = 2048
"""Perth's window mirrors at most this many samples."""


def add_watermark(samples: Samples, rate: int) -> Samples:
    """Return as many samples (float32 in -1 to 1), with the watermark. Raises `ModelLoadFailed` without Perth."""
    marked = _perth().apply_watermark(_widened(samples, rate), sample_rate=RATE)
    back: Samples = soxr.resample(marked, RATE, rate).astype(np.float32)
    fitting = np.zeros_like(samples)
    fitting[: len(back)] = back[: len(samples)]
    return np.clip(fitting, -1, 1)


def detect_watermark(samples: Samples, rate: int) -> float:
    """Return how surely the watermark is present: 1 it is, 0 it is not."""
    found = _perth().get_watermark(_widened(samples, rate), sample_rate=RATE, round=False)
    return float(np.mean(found))


def _widened(samples: Samples, rate: int) -> Samples:
    wide: Samples = soxr.resample(samples, rate, RATE).astype(np.float32)
    return np.pad(wide, (0, max(0, _MIN_SAMPLES - len(wide))))


@cache
def _perth() -> Any:
    torchaudio_stub.install()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns about its own use of pkg_resources
        try:
            import perth
        except ImportError as error:
            raise ModelLoadFailed(_MISSING) from error
    if perth.PerthImplicitWatermarker is None:  # its way of saying that one of its own imports failed
        raise ModelLoadFailed(_MISSING)
    return perth.PerthImplicitWatermarker()
