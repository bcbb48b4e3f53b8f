"""Loudness, measured by another library than the one that sets it."""

import numpy as np
import pyloudnorm
import pytest
import soxr

from pipelines.speech.loudness import LoudnessFilter

RATE = 24_000
HUM = (0.2 * np.sin(2 * np.pi * 100 * np.arange(3 * RATE) / RATE)).astype(np.float32)


def speechlike(seconds: float = 6.0, height: float = 0.05) -> np.ndarray:
    """Noise in syllables, four a second, with a pause now and then and peaks that are far above the rest."""
    random, time = np.random.default_rng(5), np.arange(round(seconds * RATE)) / RATE
    syllables = np.sin(2 * np.pi * 2 * time) ** 2 * (np.sin(2 * np.pi * time / 3) > -0.7)
    return (height * random.normal(size=len(time)) * syllables).astype(np.float32)


def levelled(samples: np.ndarray, target: float | None, parts: int = 1, rate: int = RATE) -> np.ndarray:
    changed = LoudnessFilter(rate, target)
    return np.concatenate([*(changed.change(part) for part in np.array_split(samples, parts)), changed.finish()])


def loudness(samples: np.ndarray, rate: int = RATE) -> float:
    return float(pyloudnorm.Meter(rate).integrated_loudness(samples.astype(np.float64)))


def true_peak(samples: np.ndarray, rate: int = RATE) -> float:
    """In dB; eight times as many samples as there are."""
    return 20 * float(np.log10(np.abs(soxr.resample(samples.astype(np.float64), rate, 8 * rate)).max()))


@pytest.mark.parametrize("target", [-36.0, -23.0, -18.0])
@pytest.mark.parametrize("height", [0.02, 0.2])
def test_it_is_as_loud_as_asked_for(target: float, height: float) -> None:
    made = levelled(speechlike(height=height), target)
    assert loudness(made) == pytest.approx(target, abs=0.5)
    assert len(speechlike()) == len(made)


@pytest.mark.parametrize("rate", [22_050, 24_000])
@pytest.mark.parametrize("parts", [1, 5])
def test_no_peak_is_above_minus_one_decibel(rate: int, parts: int) -> None:
    made = levelled(speechlike(height=0.3), -10.0, parts, rate)
    assert true_peak(speechlike(height=0.3), rate) > 0
    assert -3 < true_peak(made, rate) < -1


def test_it_is_as_loud_in_parts() -> None:
    made = levelled(speechlike(12.0), -20.0, parts=9)
    assert loudness(made) == pytest.approx(-20, abs=1)
    assert len(speechlike(12.0)) == len(made)


def test_nothing_is_heard_where_parts_meet() -> None:
    in_one, in_parts = (np.abs(np.diff(levelled(HUM, -12.0, parts))).max() for parts in (1, 8))
    assert in_parts < 1.2 * in_one


def test_none_changes_nothing() -> None:
    assert np.array_equal(speechlike(), levelled(speechlike(), None, parts=3))


@pytest.mark.parametrize("samples", [np.zeros(RATE, np.float32), HUM[: RATE // 5], HUM[:0]])
def test_what_cannot_be_measured_keeps_its_loudness(samples: np.ndarray) -> None:
    made = levelled(samples, -10.0)
    assert samples.shape == made.shape
    assert np.abs(made - samples).max(initial=0) < 0.01


def test_near_silence_is_not_made_loud() -> None:
    made = levelled(speechlike(height=1e-4), -18.0)
    assert np.abs(made).max() < 0.01
