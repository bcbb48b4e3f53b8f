"""The family `demo-music`: pieces composed by rule, on strings, pad and drums. No weights, no voice."""

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from core.errors.fields import NotThisModel
from jobs.params.sound import MusicParams
from pipelines.catalog.spec import ModelSpec
from pipelines.diffusion.prompt_scope import quote
from pipelines.music.harmony import METERS, STYLES, draw_key, draw_way, read_key
from pipelines.music.piece import Piece, play
from pipelines.runtime.protocol import Inputs, RawOutput, RunContext
from pipelines.sound.synthesis import RATE
from pipelines.vocabulary.words import named_words, unread_words

UNUSED = ("num_inference_steps", "guidance_scale")


class DrawnMusic:
    """Plays a piece in the first style that the prompt names: 48 kHz stereo."""

    def __init__(self, spec: ModelSpec, weights: Path, device: str) -> None:
        self.spec = spec

    def run(self, params: MusicParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """Make `samples`, n x 2; report after each bar. Raises `NotThisModel` for a prompt that names no style."""
        style = next((name for name in named_words(params.prompt, self.spec.vocabulary) if name in STYLES), None)
        if style is None:
            raise NotThisModel(f"`prompt` must name a style that {self.spec.id} makes.", field="$.prompt")
        warnings = tuple(_warnings(self.spec, params))
        for warning in warnings:
            ctx.warn(warning)
        ctx.progress(0.0, "prepare")
        piece = _composed(style, params, ctx.seed)
        length = max(1, round(params.duration_seconds * RATE))
        samples = play(
            piece,
            length,
            np.random.default_rng(ctx.seed),
            lambda share: ctx.progress(0.95 * share, "encode" if share == 1 else "step"),
        )
        return RawOutput(
            arrays={"samples": samples},
            warnings=warnings,
            metadata={
                "seed": ctx.seed,
                "sample_rate": RATE,
                "style": style,
                "bpm": piece.bpm,
                "key": piece.key.name,
                "time_signature": params.time_signature or "4/4",
            },
        )


def _composed(style: str, params: MusicParams, seed: int) -> Piece:
    """Return the piece: what the request says of it, else what its style has, else what the seed draws."""
    choice, usual = random.Random(seed), STYLES[style]
    drawn = draw_key(usual.mode, choice)
    key = drawn if params.key is None else read_key(params.key)
    return Piece(
        key=key,
        meter=METERS[params.time_signature or "4/4"],
        bpm=params.bpm or usual.bpm,
        way=draw_way(key.mode, choice),
        has_drums=usual.has_drums,
    )


def _warnings(spec: ModelSpec, params: MusicParams) -> Iterator[str]:
    if unread := unread_words(params.prompt, spec.vocabulary):
        yield f"{spec.id} plays in a style that its prompt names and did not look at {quote(unread)}"
    for field in UNUSED:
        if getattr(params, field) is not None:
            yield f"{spec.id} does not use `{field}`; it was ignored"
