"""The parts of drawn sounds: noise of a band, tones, envelopes, many small sounds at random times. NumPy alone.

A sound is float64 of one channel, `RATE` samples a second. Frequencies are in hertz, lengths in samples unless they are
named seconds.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

RATE = 48_000
Wave = NDArray[np.float64]
Rng = np.random.Generator

EDGE = 0.15
"""Width of the flanks of a band, as a share of its limits."""
ROOM_SECONDS, ROOM_DECAY, ROOM_SHARE = 0.35, 0.08, 0.25
"""The echo of a small room: its length, the time in which it falls to a third, and how loud it is beside the sound."""
PEAK = 0.89
"""The loudest sample of a finished sound: 1 dB below full scale."""
FADE = 0.02


def band(wave: Wave, low: float, high: float) -> Wave:
    """Return what a wave has between two frequencies, with soft flanks."""
    spectrum = np.fft.rfft(wave)
    at = np.fft.rfftfreq(len(wave), 1 / RATE)
    rising = np.clip((at - low * (1 - EDGE)) / (low * EDGE), 0, 1)
    falling = np.clip((high * (1 + EDGE) - at) / (high * EDGE), 0, 1)
    kept: Wave = np.fft.irfft(spectrum * rising * falling, len(wave))
    return kept


def noise(rng: Rng, length: int, low: float, high: float) -> Wave:
    """Return noise of a band."""
    return band(rng.normal(size=length), low, high)


def tone(hertz: float | Wave, length: int) -> Wave:
    """Return a sine of a fixed frequency, or of one for each sample."""
    wave: Wave = np.sin(2 * np.pi * np.cumsum(np.broadcast_to(hertz, length)) / RATE)
    return wave


def envelope(length: int, attack: float, decay: float) -> Wave:
    """Return a rise of `attack` seconds, and a fall to a third in each `decay` seconds after it."""
    at = np.arange(length) / RATE
    return np.minimum(at / attack, 1) * np.exp(-np.maximum(at - attack, 0) / decay)


def ramp(points: Sequence[tuple[float, float]], length: int) -> Wave:
    """Return a line through points, each a share of the length and a value."""
    shares, values = zip(*points, strict=True)
    line: Wave = np.interp(np.linspace(0, 1, length), shares, values)
    return line


def summed(waves: Sequence[Wave]) -> Wave:
    """Return waves of one length together."""
    total: Wave = np.sum(waves, axis=0)
    return total


def put(out: Wave, at: int, wave: Wave) -> None:
    """Add a wave to `out` from a sample on; what would be outside is left out."""
    start = max(0, at)
    piece = wave[start - at : len(out) - at]
    if len(piece):
        out[start : start + len(piece)] += piece


def scatter(rng: Rng, length: int, per_second: float, make: Callable[[Rng], Wave]) -> Wave:
    """Return many small sounds at random times: drops, crackles, claps."""
    out = np.zeros(length)
    for at in rng.integers(0, length, max(1, round(per_second * length / RATE))):
        put(out, int(at), make(rng))
    return out


def repeat(rng: Rng, length: int, seconds: float, make: Callable[[Rng], Wave], *, first: float = 0.0) -> Wave:
    """Return a sound again and again, each `seconds` after the one before."""
    out = np.zeros(length)
    for at in np.arange(first, length / RATE, seconds):
        put(out, round(at * RATE), make(rng))
    return out


def scaled(wave: NDArray[np.float64], peak: float) -> NDArray[np.float64]:
    """Return a wave whose loudest sample is `peak`; silence stays silence."""
    loudest = float(np.abs(wave).max())
    return wave * (peak / loudest) if loudest > 0 else wave


def in_room(mono: Wave) -> NDArray[np.float64]:
    """Return a sound in a small room: n x 2, as loud as `PEAK`."""
    length = round(ROOM_SECONDS * RATE)
    echoes = np.random.default_rng(1).normal(size=(2, length)) * np.exp(-np.arange(length) / RATE / ROOM_DECAY)
    size = len(mono) + length
    spectrum = np.fft.rfft(mono, size)
    wet = np.stack([np.fft.irfft(spectrum * np.fft.rfft(echo, size), size)[: len(mono)] for echo in echoes], axis=1)
    return scaled(mono[:, None] + scaled(wet, ROOM_SHARE * float(np.abs(mono).max())), PEAK)


def faded(wave: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a sound that does not end with a click."""
    length = min(round(FADE * RATE), len(wave))
    ended = wave.copy()
    ended[len(wave) - length :] *= np.linspace(1, 0, length)[:, None]
    return ended
