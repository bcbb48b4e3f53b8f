"""Measures of music: its tempo by the autocorrelation of its onsets, its key by its pitch classes, its bars."""

import numpy as np

from tests.support.media.spectra import mono

HOP = 0.01
"""Seconds between two looks at the spectrum."""
PROFILES = {
    "major": (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    "minor": (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
}
"""How well each semitone above a tonic fits its key: the probe tones of Krumhansl and Kessler (1982)."""
NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def onsets(samples: np.ndarray, rate: int, low: float = 0, high: float = 20_000) -> np.ndarray:
    """How much louder each look at a band of the spectrum is than the one before."""
    size, hop = 2048, round(HOP * rate)
    windows = np.lib.stride_tricks.sliding_window_view(mono(samples), size)[::hop] * np.hanning(size)
    at = np.fft.rfftfreq(size, 1 / rate)
    loud = np.log1p(100 * np.abs(np.fft.rfft(windows))[:, (at >= low) & (at <= high)])
    return np.maximum(np.diff(loud, axis=0), 0).sum(axis=1)


def alike_after(curve: np.ndarray, seconds: float) -> float:
    """How like itself a curve of `onsets` is after so many seconds, 1 exactly; between looks it is interpolated."""
    centered, lag = curve - curve.mean(), seconds / HOP
    shifted = np.interp(np.arange(len(curve)) + lag, np.arange(len(curve)), centered, right=np.nan)
    there = ~np.isnan(shifted)
    return float((centered[there] * shifted[there]).mean() / (centered**2).mean())


def tempo(samples: np.ndarray, rate: int, near: float) -> float:
    """Beats a minute, of those within a quarter of `near`: half and double a tempo are as right by the ear."""
    curve = onsets(samples, rate)
    asked = np.arange(near / 1.25, near * 1.25, 0.5)
    return float(asked[np.argmax([sum(alike_after(curve, 60 * beats / bpm) for beats in (1, 2, 4)) for bpm in asked])])


def chroma(samples: np.ndarray, rate: int) -> np.ndarray:
    """The energy of each pitch class, C first, from 60 to 2,000 hertz."""
    energy = np.abs(np.fft.rfft(mono(samples))) ** 2
    at = np.fft.rfftfreq(len(samples), 1 / rate)
    within = (at > 60) & (at < 2000)
    classes = np.round(69 + 12 * np.log2(at[within] / 440)).astype(int) % 12
    return np.bincount(classes, energy[within], 12)


def key_of(samples: np.ndarray, rate: int) -> str:
    """The key whose profile its pitch classes are most like."""
    heard = np.sqrt(chroma(samples, rate))
    fits = {
        f"{NAMES[tonic]} {mode}": np.corrcoef(heard, np.roll(profile, tonic))[0, 1]
        for mode, profile in PROFILES.items()
        for tonic in range(12)
    }
    return max(fits, key=lambda name: fits[name])
