"""How alike two recordings of any voices are: their cepstra, aligned in time."""

import numpy as np
import soxr
from numpy.typing import NDArray

RATE, BANDS, KEPT = 16_000, 26, 13
WARP = 0.12
"""How far one recording may be ahead of the other, as a share of the whole."""
STEP_COST = 1.5
"""Of a frame that is waiting, against one that goes on in both."""


def distance(one: NDArray[np.float32], one_rate: int, other: NDArray[np.float32], other_rate: int) -> float:
    """Return the mean distance of the cepstra along the best alignment (dynamic time warping); less is more alike."""
    x, y = cepstra(one, one_rate), cepstra(other, other_rate)
    apart = np.sqrt(((x[:, None] - y[None]) ** 2).sum(2))
    places = np.arange(len(x))[:, None] / len(x) - np.arange(len(y))[None] / len(y)
    apart[np.abs(places) > WARP] = np.inf
    total = np.full((len(x) + 1, len(y) + 1), np.inf)
    total[0, 0] = 0
    for i, row in enumerate(apart):
        for j, cost in enumerate(row):
            waiting = min(total[i, j + 1], total[i + 1, j]) + STEP_COST * cost
            total[i + 1, j + 1] = min(total[i, j] + 2 * cost, waiting)
    return float(total[-1, -1]) / (len(x) + len(y))


def cepstra(samples: NDArray[np.float32], rate: int) -> NDArray[np.float64]:
    """Return mel-frequency cepstra of 25 ms each 10 ms, without their mean, from the first to the last sound."""
    wave = soxr.resample(samples.astype(np.float64), rate, RATE)
    loud = np.flatnonzero(np.abs(wave) > 0.02 * np.abs(wave).max())
    wave = wave[loud[0] : loud[-1]]
    wave = np.append(wave[0], wave[1:] - 0.97 * wave[:-1])
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(wave, 200), 400)[::160] * np.hanning(400)
    power = np.abs(np.fft.rfft(frames, 512)) ** 2
    mels = 2595 * np.log10(1 + np.linspace(0, RATE / 2, 257) / 700)
    edges = np.linspace(2595 * np.log10(1 + 100 / 700), 2595 * np.log10(1 + 5000 / 700), BANDS + 2)
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    bank = np.clip(np.minimum((mels - low) / (middle - low), (high - mels) / (high - middle)), 0, None)
    energies = np.log(power @ bank.T + 1e-4 * power.sum(1).mean() / 20)
    cosines = np.cos(np.pi / BANDS * np.outer(np.arange(KEPT), np.arange(BANDS) + 0.5))
    found: NDArray[np.float64] = energies @ cosines.T
    return found - found.mean(0)
