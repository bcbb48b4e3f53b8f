"""Sounds put together and cut off: no clicks."""

import numpy as np
import pytest

from pipelines.speech.filters import TempoFilter
from pipelines.speech.samples import Edge, JoinedSpeech

RATE = 24_000


def join(chunks: list[np.ndarray], edge: Edge = "pause") -> np.ndarray:
    joined, last = JoinedSpeech(RATE), len(chunks) - 1
    for number, chunk in enumerate(chunks):
        joined.add(chunk, after=edge if number else "cut", before=edge if number < last else "cut")
    return joined.arrays()["samples"]


def truncate(samples: np.ndarray, most: int) -> np.ndarray:
    joined = JoinedSpeech(RATE, most)
    joined.add(samples, after="cut", before="cut")
    assert joined.is_cut == (len(samples) > most)
    return joined.arrays()["samples"]


def change_tempo(samples: np.ndarray, tempo: float, pieces: int = 1) -> np.ndarray:
    changed = TempoFilter(RATE, tempo)
    return np.concatenate([*(changed.change(part) for part in np.array_split(samples, pieces)), changed.finish()])


def tone(seconds: float, value: float = 0.8) -> np.ndarray:
    """As bad as it gets: begins and ends at full height."""
    return np.full(round(seconds * RATE), value, np.float32)


def largest_step(samples: np.ndarray) -> float:
    return float(np.abs(np.diff(samples)).max())


class TestJoin:
    def test_one_piece_stays_as_it_is(self) -> None:
        assert np.array_equal(tone(1), join([tone(1)]))

    def test_there_is_a_pause_of_five_tokens_between_two(self) -> None:
        joined = join([tone(1), tone(2, -0.8)])

        assert RATE * 3 + RATE // 5 == len(joined)
        assert not joined[RATE : RATE + RATE // 5].any()

    def test_no_sample_jumps_where_pieces_meet(self) -> None:
        joined = join([tone(1), tone(1, -0.8), tone(1)])

        assert largest_step(joined) < 0.01
        assert np.float32(0.8) == joined[0] == joined[-1]

    def test_pieces_are_not_changed(self) -> None:
        chunk = tone(1)
        join([chunk, chunk])
        assert np.array_equal(tone(1), chunk)

    @pytest.mark.parametrize("length", [0, 1, 2, 3])
    def test_a_piece_may_be_nearly_nothing(self, length: int) -> None:
        joined = join([tone(1), tone(1)[:length], tone(1)])
        assert 2 * RATE + length + 2 * (RATE // 5) == len(joined)
        assert np.isfinite(joined).all()

    def test_nothing_is_nothing(self) -> None:
        assert 0 == len(join([]))


class TestCrossFade:
    def test_one_chunk_goes_over_into_the_next(self) -> None:
        joined = join([tone(1), tone(2, -0.8), tone(1)], "cross-fade")

        assert 4 * RATE - 2 * round(0.04 * RATE) == len(joined)
        assert largest_step(joined) < 0.01
        assert np.array_equal(tone(0.95), joined[: round(0.95 * RATE)])

    def test_silence_around_it_is_left_out(self) -> None:
        silence = np.zeros(RATE, np.float32)
        joined = join([np.concatenate([tone(1), silence]), np.concatenate([silence, tone(1)])], "cross-fade")

        assert 2 * RATE + round(0.08 * RATE) == len(joined)

    def test_a_voice_that_goes_on_is_as_loud_in_between(self) -> None:
        time = np.arange(2 * RATE) / RATE
        hum = (0.5 * np.sin(2 * np.pi * 250 * time)).astype(np.float32)
        joined = join([hum[:RATE], hum[RATE - round(0.04 * RATE) :]], "cross-fade")
        assert np.abs(joined - hum).max() < 1e-6

    def test_what_was_kept_back_is_heard_when_nothing_follows(self) -> None:
        played: list[int] = []
        joined = JoinedSpeech(RATE, play=lambda samples, rate: played.append(len(samples)))
        joined.add(tone(1), after="cut", before="cross-fade")
        samples = joined.arrays()["samples"]
        assert [round(0.96 * RATE), round(0.04 * RATE)] == played
        assert RATE == len(samples)
        assert abs(samples[-1]) < 0.01

    @pytest.mark.parametrize("length", [0, 1, 2, 3])
    def test_a_chunk_may_be_nearly_nothing(self, length: int) -> None:
        assert np.isfinite(join([tone(1), tone(1)[:length], tone(1)], "cross-fade")).all()


class TestCut:
    def test_what_fits_stays_as_it_is(self) -> None:
        assert np.array_equal(tone(1), truncate(tone(1), RATE))

    def test_what_is_cut_off_fades_out(self) -> None:
        rest = truncate(tone(2), RATE)

        assert RATE == len(rest)
        assert abs(rest[-1]) < 0.01
        assert largest_step(rest) < 0.01


def pitch(samples):
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return np.argmax(spectrum) * RATE / len(samples)


@pytest.mark.parametrize("tempo", [0.25, 0.5, 0.8, 1.25, 2.0, 4.0])
@pytest.mark.parametrize("seconds", [0.7, 6.0])
def test_the_length_changes_and_the_pitch_stays(tempo, seconds):
    wave = (0.5 * np.sin(2 * np.pi * 220 * np.arange(int(seconds * RATE)) / RATE)).astype(np.float32)
    made = change_tempo(wave, tempo)
    assert made.dtype == np.float32
    assert len(wave) / tempo == pytest.approx(len(made), rel=0.05, abs=0.05 * RATE)
    assert pitch(made) == pytest.approx(220, abs=4)
    assert 0.3 < np.abs(made).max() <= 1


def test_the_usual_tempo_changes_nothing():
    silence = np.zeros(100, np.float32)
    assert TempoFilter(RATE, 1.0).change(silence) is silence


def test_a_tempo_is_the_same_in_parts():
    wave = (0.5 * np.sin(2 * np.pi * 220 * np.arange(3 * RATE) / RATE)).astype(np.float32)
    assert np.array_equal(change_tempo(wave, 1.3), change_tempo(wave, 1.3, pieces=7))


def test_what_is_played_is_what_is_joined():
    played = []
    joined = JoinedSpeech(RATE, 2 * RATE, lambda samples, rate: played.append((samples, rate)))
    for number in range(4):
        joined.add(tone(0.7), after="pause" if number else "cut", before="pause" if number < 3 else "cut")
    arrays = joined.arrays()
    assert joined.is_cut
    assert np.array_equal(arrays["samples"], np.concatenate([samples for samples, _ in played]))
    assert [len(samples) for samples, _ in played] == list(arrays["parts"])
    assert {RATE} == {rate for _, rate in played}
    assert 2 * RATE == len(arrays["samples"])
