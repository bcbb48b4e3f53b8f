"""The sound of a film that another model makes."""

import numpy as np
import pytest

from jobs.params.sound import SoundParams
from pipelines.runtime.protocol import Inputs, RawOutput, RunContext
from pipelines.sound.apart import with_sound
from tests.support.checkpoints.specs import spec

FILM = RawOutput(
    arrays={"frames": np.zeros((12, 12, 8), np.uint8)}, warnings=("its own",), metadata={"seed": 3, "fps": 24}
)
"""Half a second."""
MAKER = spec(id="maker", modality="sound")


class Maker:
    """A model that makes what it is given, and keeps what it was asked for."""

    spec = MAKER

    def __init__(self, samples: np.ndarray, rate: int = 48_000) -> None:
        self.raw = RawOutput(arrays={"samples": samples.astype(np.float32)}, metadata={"sample_rate": rate})
        self.asked: list[tuple[SoundParams, int]] = []

    def run(self, params: SoundParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        ctx.warn("a warning about words")
        self.asked.append((params, ctx.seed))
        return self.raw


def made(maker: Maker) -> RawOutput:
    said: list[str] = []
    ctx = RunContext(seed=3, progress=lambda fraction, stage: None, warn=said.append)
    raw = with_sound(FILM, maker, MAKER, "rain", ctx)
    assert (*said, "its own") == raw.warnings
    assert ("sound made apart", 1) == (said[0].partition(":")[0], len(said))
    return raw


@pytest.mark.contract("B10")
def test_it_has_the_length_of_the_film_and_its_seed():
    maker = Maker(np.full(30_000, 0.5))
    sound = made(maker).arrays["sound"]
    assert ((24_000, 2), np.int16) == (sound.shape, sound.dtype)
    assert {16384} == set(sound.ravel().tolist())
    assert [(SoundParams(prompt="rain", duration_seconds=0.5), 3)] == maker.asked


def test_what_is_missing_is_silence_and_two_channels_stay():
    sound = made(Maker(np.array([[1.0, -2.0]]))).arrays["sound"]
    assert [[32767, -32767], [0, 0]] == sound[:2].tolist()
    assert not sound[1:].any()


def test_another_rate_is_brought_to_that_of_films():
    wave = np.sin(2 * np.pi * 440 * np.arange(12_000) / 24_000)
    sound = made(Maker(wave, 24_000)).arrays["sound"]
    spectrum = np.abs(np.fft.rfft(sound[:, 0].astype(float)))
    assert 440 == spectrum.argmax() * 48_000 / len(sound)
