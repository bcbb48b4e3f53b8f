"""A family that speaks slowly: a tone for each word of a text, played as soon as it is there; it has no weights."""

import time
from pathlib import Path

import numpy as np

from jobs.params.speech import SpeechParams
from pipelines.catalog.spec import ModelSpec
from pipelines.runtime.protocol import Inputs, RawOutput, RunContext
from pipelines.speech.encode import encode
from pipelines.speech.samples import JoinedSpeech

__all__ = ["Speaker", "encode"]

RATE = 24_000
WORD_SECONDS = 0.2
"""How long a word takes, and how long it sounds."""


class Speaker:
    """Words as tones whose pitch is that of their letters."""

    def __init__(self, spec: ModelSpec, weights: Path, device: str) -> None:
        self.spec = spec

    def run(self, params: SpeechParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """Make a tone of each word, and report after it."""
        joined, words = JoinedSpeech(RATE, play=ctx.play if params.stream else None), params.text.split()
        for number, word in enumerate(words):
            time.sleep(WORD_SECONDS)
            pitch = 200 + 10 * (sum(map(ord, word)) % 50)
            tone = 0.3 * np.sin(2 * np.pi * pitch * np.arange(round(WORD_SECONDS * RATE)) / RATE)
            after = "pause" if number else "cut"
            joined.add(tone.astype(np.float32), after=after, before="pause" if number < len(words) - 1 else "cut")
            ctx.progress((number + 1) / len(words), "step")
        return RawOutput(arrays=joined.arrays(), metadata={"seed": ctx.seed, "sample_rate": RATE})
