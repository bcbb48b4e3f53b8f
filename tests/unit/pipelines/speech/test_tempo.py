"""A voice that is faster or slower has the same pitch."""

import numpy as np
import pytest

from pipelines.speech.tempo import change_tempo

RATE = 24_000


def pitch(samples):
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return np.argmax(spectrum) * RATE / len(samples)


@pytest.mark.parametrize("tempo", [0.5, 0.8, 1.25, 2.0])
@pytest.mark.parametrize("seconds", [0.7, 6.0])
def test_the_length_changes_and_the_pitch_stays(tempo, seconds):
    tone = (0.5 * np.sin(2 * np.pi * 220 * np.arange(int(seconds * RATE)) / RATE)).astype(np.float32)
    made = change_tempo(tone, RATE, tempo)
    assert made.dtype == np.float32
    assert len(tone) / tempo == pytest.approx(len(made), rel=0.05, abs=0.05 * RATE)
    assert pitch(made) == pytest.approx(220, abs=4)
    assert 0.3 < np.abs(made).max() <= 1


def test_the_usual_tempo_changes_nothing():
    tone = np.zeros(100, np.float32)
    assert change_tempo(tone, RATE, 1.0) is tone
