"""The sound of a film that is drawn apart from it, of the words of the same prompt."""

import zlib
from collections.abc import Callable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipelines.catalog.spec import ModelSpec
from pipelines.sound.effects import EFFECTS
from pipelines.sound.synthesis import RATE, faded, in_room, scaled
from pipelines.vocabulary.words import named_words, without_named

APART = "sound made apart: {sounds}, drawn from the words of the prompt without a look at the film"


def drawn_stereo(
    names: Sequence[str], seed: int, length: int, on_sound: Callable[[int], None] = lambda number: None
) -> NDArray[np.float64]:
    """Return sounds one over the other in a small room, n x 2 in -1 to 1; `on_sound` is called after each, from 1."""
    mono = np.zeros(length)
    for number, name in enumerate(names, 1):
        rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
        mono += scaled(EFFECTS[name](rng, length), 1.0)
        on_sound(number)
    return in_room(mono)


class FilmSound(msgspec.Struct, frozen=True):
    """The `sound` of a film, as its encoder takes it (None: silence), what to say of it, and the rest of the prompt."""

    sound: NDArray[np.int16] | None
    warning: str
    rest: str


def film_sound(spec: ModelSpec, prompt: str, seed: int, seconds: float) -> FilmSound:
    """Return the sound that a prompt names."""
    names = [name for name in named_words(prompt, spec.vocabulary) if name in EFFECTS]
    if not names:
        return FilmSound(None, f"{spec.id} found no sound in the prompt; the video is silent", prompt)
    wave = faded(drawn_stereo(names, seed, round(seconds * RATE)))
    return FilmSound(
        (wave * 32767).round().astype(np.int16),
        APART.format(sounds=" and ".join(names)),
        without_named(prompt, spec.vocabulary),
    )
