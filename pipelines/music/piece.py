"""A piece played bar by bar: bass, chords, a broken chord on plucked strings, and drums where its style has them."""

from collections.abc import Callable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipelines.music.harmony import Key, Meter
from pipelines.music.instruments import hat, kick, pad, snare, string
from pipelines.sound.synthesis import RATE, Rng, Wave

BROKEN = (0, 2, 4, 2, 7, 4, 2, 4)
"""Degrees above the chord's, one for each eighth of a bar."""
CHORD = ((0, 0.3), (2, 0.7), (4, 0.5))
"""Degrees above the chord's, and where each is between left (0) and right (1)."""
ROUND = 4
"""Bars until the chords come again."""
DRIVE, PEAK = 1.6, 0.85
"""How far the sum is pressed, and how loud it is then."""
END_SECONDS = 1.0


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """What is played: a key, a meter, a tempo in quarter notes a minute, the chords of four bars, and drums."""

    key: Key
    meter: Meter
    bpm: float
    way: Sequence[int]
    has_drums: bool

    @property
    def eighth(self) -> float:
        """Seconds of an eighth."""
        return 30 / self.bpm

    @property
    def bar(self) -> float:
        """Seconds of a bar."""
        return self.meter.eighths * self.eighth


class Mix:
    """Two channels of a fixed length, to which notes are added."""

    def __init__(self, length: int) -> None:
        self.samples = np.zeros((length, 2))

    def add(self, wave: Wave, seconds: float, gain: float, place: float = 0.5) -> None:
        """Add a note at a time; what would sound behind the end is left out."""
        start = round(seconds * RATE)
        part = wave[: max(0, len(self.samples) - start)]
        if len(part):
            self.samples[start : start + len(part)] += part[:, None] * (gain * np.array([1 - place, place]))


def play(piece: Piece, length: int, rng: Rng, on_bar: Callable[[float], None]) -> NDArray[np.float32]:
    """Return so many samples of a piece, n x 2; `on_bar` gets the share that is done after each bar."""
    mix, bars = Mix(length), max(1, int(np.ceil(length / RATE / piece.bar)))
    for number in range(bars):
        _play_bar(piece, number, mix, rng)
        on_bar((number + 1) / bars)
    return _finished(mix.samples)


def _play_bar(piece: Piece, number: int, mix: Mix, rng: Rng) -> None:
    key, eighth, begin = piece.key, piece.eighth, number * piece.bar
    degree = piece.way[number % ROUND]
    length = round(piece.bar * 1.05 * RATE)
    for above, place in CHORD:
        mix.add(pad(key.hertz(degree + above, 1), length), begin, 0.06, place)
    for step in range(piece.meter.eighths):
        at = begin + step * eighth
        if step % 2 == 0:
            below = degree if step in piece.meter.low else degree + 4
            mix.add(string(key.hertz(below), round(2 * eighth * RATE)), at, 0.5)
        octave = 1 + int(rng.random() < 0.25)
        note = string(key.hertz(degree + BROKEN[(step + number) % len(BROKEN)], octave), round(3 * eighth * RATE))
        mix.add(note, at, 0.3, rng.uniform(0.3, 0.7))
        if piece.has_drums:
            _strike(piece.meter, step, at, mix, rng)


def _strike(meter: Meter, step: int, at: float, mix: Mix, rng: Rng) -> None:
    if step in meter.low:
        mix.add(kick(), at, 0.8)
    if step in meter.high:
        mix.add(snare(rng), at, 0.25)
    mix.add(hat(rng), at, 0.08, 0.6)


def _finished(samples: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the sum as loud as `PEAK`, pressed a little, with its end faded."""
    fade = min(round(END_SECONDS * RATE), len(samples) // 4)
    samples[len(samples) - fade :] *= np.linspace(1, 0, fade)[:, None]
    loudest = float(np.abs(samples).max()) or 1.0
    pressed: NDArray[np.float32] = (np.tanh(samples / loudest * DRIVE) / np.tanh(DRIVE) * PEAK).astype(np.float32)
    return pressed
