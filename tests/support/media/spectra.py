"""Measures of sounds: where in the spectrum they are loud, and when.

Samples are those of a decoded file or of an output: n, or n x channels, which are added up.
"""

import io

import av
import numpy as np


def decoded_sound(file: bytes) -> tuple[np.ndarray, int]:
    """The samples of a file, n x channels in -1 to 1, and how many are a second."""
    with av.open(io.BytesIO(file)) as container:
        stream = container.streams.audio[0]
        resampler = av.AudioResampler(format="fltp", layout=stream.layout, rate=stream.rate)
        frames = [piece.to_ndarray() for frame in container.decode(stream) for piece in resampler.resample(frame)]
        return np.concatenate(frames, axis=1).T, stream.rate


def mono(samples: np.ndarray) -> np.ndarray:
    return samples if samples.ndim == 1 else samples.mean(axis=1)


def share(samples: np.ndarray, rate: int, low: float, high: float) -> float:
    """Which share of the energy lies between two frequencies, 0 to 1."""
    energy = np.abs(np.fft.rfft(mono(samples))) ** 2
    at = np.fft.rfftfreq(len(samples), 1 / rate)
    return float(energy[(at >= low) & (at < high)].sum() / energy.sum())


def flatness(samples: np.ndarray, rate: int, low: float, high: float) -> float:
    """How much like white noise a band is: near 0.56 for noise, near 0 for a tone."""
    energy = np.abs(np.fft.rfft(mono(samples))) ** 2
    at = np.fft.rfftfreq(len(samples), 1 / rate)
    band = energy[(at >= low) & (at < high)] + 1e-12
    return float(np.exp(np.log(band).mean()) / band.mean())


def loudest_hertz(samples: np.ndarray, rate: int, seconds: float = 0.1) -> np.ndarray:
    """The loudest frequency of each window of so many seconds."""
    size = round(seconds * rate)
    windows = mono(samples)[: len(samples) // size * size].reshape(-1, size) * np.hanning(size)
    return np.abs(np.fft.rfft(windows, 4 * size)).argmax(axis=1) * rate / (4 * size)


def loudness(samples: np.ndarray, rate: int, seconds: float = 0.02) -> np.ndarray:
    """The root of the mean square of each window of so many seconds."""
    size = round(seconds * rate)
    windows = mono(samples)[: len(samples) // size * size].reshape(-1, size)
    return np.sqrt((windows**2).mean(axis=1))


def period(samples: np.ndarray, rate: int, least: float, most: float, seconds: float = 0.01) -> tuple[float, float]:
    """After how many seconds the loudness repeats itself, between two limits, and how well: 1 exactly, 0 not at all."""
    curve = loudness(samples, rate, seconds)
    curve = curve - curve.mean()
    alike = np.correlate(curve, curve, "full")[len(curve) - 1 :]
    alike = alike / alike[0] * len(curve) / np.arange(len(curve), 0, -1)
    lags = np.arange(round(least / seconds), round(most / seconds))
    best = lags[alike[lags].argmax()]
    return float(best * seconds), float(alike[best])
