"""The family `demo-sound`: sounds that are drawn from noise and tones, one for each word that it knows. No weights."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from core.errors.fields import NotThisModel
from jobs.params.sound import SoundParams
from pipelines.catalog.spec import ModelSpec
from pipelines.diffusion.prompt_scope import quote
from pipelines.runtime.protocol import Inputs, RawOutput, RunContext
from pipelines.sound.beside import drawn_stereo
from pipelines.sound.effects import EFFECTS
from pipelines.sound.loop import close_loop, cross_length
from pipelines.sound.synthesis import RATE, faded
from pipelines.vocabulary.words import named_words, unread_words

UNUSED = ("negative_prompt", "num_inference_steps", "guidance_scale")


class DrawnSound:
    """Draws what the prompt names, one over the other, in a small room: 48 kHz stereo."""

    def __init__(self, spec: ModelSpec, weights: Path, device: str) -> None:
        self.spec = spec

    def run(self, params: SoundParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """Make `samples`, n x 2; report after each sound. Raises `NotThisModel` for a prompt that names none."""
        names = [name for name in named_words(params.prompt, self.spec.vocabulary) if name in EFFECTS]
        if not names:
            raise NotThisModel(f"`prompt` must name a sound that {self.spec.id} makes.", field="$.prompt")
        warnings = tuple(_warnings(self.spec, params))
        for warning in warnings:
            ctx.warn(warning)
        ctx.progress(0.0, "prepare")
        length = max(1, round(params.duration_seconds * RATE))
        drawn = length + (cross_length(length, RATE) if params.loop else 0)

        def report(number: int) -> None:
            ctx.progress(number / (len(names) + 1), "step" if number < len(names) else "encode")

        stereo = drawn_stereo(names, ctx.seed, drawn, report)
        ended = close_loop(stereo.astype(np.float32), length) if params.loop else faded(stereo).astype(np.float32)
        return RawOutput(
            arrays={"samples": ended},
            warnings=warnings,
            metadata={"seed": ctx.seed, "sample_rate": RATE, "sounds": ", ".join(names)},
        )


def _warnings(spec: ModelSpec, params: SoundParams) -> Iterator[str]:
    if unread := unread_words(params.prompt, spec.vocabulary):
        yield f"{spec.id} draws sounds by their words and did not look at {quote(unread)}"
    for field in UNUSED:
        if getattr(params, field) is not None:
            yield f"{spec.id} does not use `{field}`; it was ignored"
