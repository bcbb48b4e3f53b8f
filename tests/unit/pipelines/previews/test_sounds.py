"""Peaks, as a player draws them."""

from pathlib import Path

import numpy as np

from pipelines.previews import sounds
from pipelines.previews.sounds import peaks_file


def peaks(samples: np.ndarray) -> np.ndarray:
    return sounds.peaks(samples, samples)


def test_peaks_follow_the_loudness() -> None:
    tone = np.sin(np.arange(80_000) * 0.3).astype(np.float32)
    loudness = np.repeat([0.1, 1.0, 0.0, 0.5], 20_000).astype(np.float32)

    low, high = peaks(tone * loudness).T.astype(int)

    for part, expected in zip(np.split(high, 4), (13, 127, 0, 64), strict=True):
        assert np.abs(part - expected).max() <= 1
    assert np.abs(low + high).max() <= 2


def test_low_and_high_are_those_of_the_samples() -> None:
    found = peaks(np.array([0.25, -0.5] * 800, np.float32))
    assert [[-64, 32]] == np.unique(found, axis=0).tolist()


def test_a_recording_that_is_too_loud_is_cut_off() -> None:
    assert {-127, 127} == set(peaks(np.array([-3.0, 3.0] * 1000, np.float32)).ravel().tolist())


def test_a_recording_of_few_samples_has_as_many_pairs() -> None:
    found = peaks(np.array([0.5, -1.0], np.float32))
    assert (800, 2) == found.shape
    assert [[64, 64], [-127, -127]] == [found[0].tolist(), found[-1].tolist()]


def test_the_file_is_the_pairs_alone(tmp_path: Path) -> None:
    ramp = np.linspace(-1, 1, 48_000).astype(np.float32)
    made = peaks_file(peaks(ramp), "0", tmp_path)
    read = np.frombuffer((tmp_path / made.path).read_bytes(), np.int8).reshape(-1, 2)
    assert ("peaks", 800, 1600) == (made.name, made.width, (tmp_path / made.path).stat().st_size)
    assert np.array_equal(peaks(ramp), read)
    assert (np.diff(read[:, 1].astype(int)) >= 0).all()
