"""What a piece of `demo-music` is made of: style, key, meter, and the chords of its bars."""

import random
from collections.abc import Mapping, Sequence

import msgspec

LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
SIGNS = {"": 0, "#": 1, "b": -1}
SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
"""Semitones above the tonic; the minor one is the natural one."""
WAYS: Mapping[str, Sequence[Sequence[int]]] = {
    "major": ((0, 4, 5, 3), (0, 5, 3, 4), (0, 3, 4, 0)),
    "minor": ((0, 3, 4, 0), (0, 5, 4, 0), (0, 3, 0, 4)),
}
"""Chords of four bars, by the degree of the scale (from 0) on which each stands. Minor ones come back to the tonic, or
they are heard as those of the major key with the same notes."""
LOWEST = 45
"""The MIDI note of the lowest tonic, A2; the highest is eleven semitones above it."""


class Style(msgspec.Struct, frozen=True):
    """How a piece sounds where the request does not say it: its mode and tempo, and whether it has drums."""

    mode: str
    bpm: int
    has_drums: bool


STYLES: Mapping[str, Style] = {
    "sad": Style("minor", 72, False),
    "calm": Style("major", 76, False),
    "ambient": Style("major", 66, False),
    "happy": Style("major", 118, True),
    "epic": Style("minor", 100, True),
    "energetic": Style("major", 128, True),
    "tense": Style("minor", 110, True),
}
"""By the words of the vocabulary of `demo-music` in `models.toml`."""


class Meter(msgspec.Struct, frozen=True):
    """A bar in eighths, of which a beat has two: how many, and on which of them the low and the high drum strike."""

    eighths: int
    low: tuple[int, ...]
    high: tuple[int, ...]


METERS: Mapping[str, Meter] = {
    "2/4": Meter(4, (0,), (2,)),
    "3/4": Meter(6, (0,), (2, 4)),
    "4/4": Meter(8, (0, 4), (2, 6)),
    "6/8": Meter(6, (0,), (3,)),
}


class Key(msgspec.Struct, frozen=True):
    """A tonic, as a pitch class from 0 (C) to 11 (B), and a mode."""

    tonic: int
    mode: str

    @property
    def name(self) -> str:
        """As requests write it; black keys as sharps."""
        letters = {number: letter for letter, number in LETTERS.items()}
        letter = letters.get(self.tonic) or f"{letters[self.tonic - 1]}#"
        return f"{letter} {self.mode}"

    def hertz(self, degree: int, octave: int = 0) -> float:
        """Return the frequency of a degree of the scale (from 0) in an octave above the lowest one."""
        scale = SCALES[self.mode]
        semitones = scale[degree % 7] + 12 * (degree // 7 + octave)
        root = LOWEST + (self.tonic - LOWEST) % 12
        return float(440 * 2 ** ((root + semitones - 69) / 12))


def read_key(name: str) -> Key:
    """Return the key of a name such as `F# minor`."""
    note, mode = name.split()
    return Key((LETTERS[note[0]] + SIGNS[note[1:]]) % 12, mode)


def draw_key(mode: str, choice: random.Random) -> Key:
    """Return a key of this mode."""
    return Key(choice.randrange(12), mode)


def draw_way(mode: str, choice: random.Random) -> Sequence[int]:
    """Return the chords of four bars."""
    return choice.choice(WAYS[mode])
