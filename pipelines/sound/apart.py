"""The sound of a film whose own model makes none: of a model of sounds, after the film, as long as it is."""

import msgspec
import numpy as np
import soxr
from numpy.typing import NDArray

from pipelines.audio.samples import pcm_of, read_samples
from pipelines.catalog.helpers.needs import sound_request
from pipelines.catalog.requirements import settle
from pipelines.catalog.spec import ModelSpec, Stage
from pipelines.runtime.protocol import Inputs, Pipeline, RawOutput, RunContext
from pipelines.sound.synthesis import RATE

SHARE = 0.1
"""The share of a job's progress that its sound is."""
APART = "sound made apart: {model} made it of the words of the prompt, without a look at the film"


def before_sound(ctx: RunContext) -> RunContext:
    """Return the context of a film that is not encoded yet when it is there, and whose progress is not the whole."""

    def progress(fraction: float, stage: Stage) -> None:
        ctx.progress((1 - SHARE) * fraction, "prepare" if stage == "encode" else stage)

    return msgspec.structs.replace(ctx, progress=progress)


def with_sound(film: RawOutput, maker: Pipeline, spec: ModelSpec, prompt: str, ctx: RunContext) -> RawOutput:
    """Return the film with the `sound` that a model makes of the prompt; `ctx` is that of the job.

    The job's seed is that of the sound as well. It has two channels of int16, 48,000 samples a second, from the first
    frame on: what is longer than the frames is cut off, and what is missing is silence. What the model says of words
    that it has no use for is left out, since they are the film's. Raises what the model and `read_samples` raise.
    """
    frames, fps = len(film.arrays["frames"]), film.metadata["fps"]
    assert isinstance(fps, int), "a film says how many frames a second has"
    length = round(frames / fps * RATE)
    context = RunContext(
        seed=ctx.seed,
        progress=lambda fraction, stage: ctx.progress(1 - SHARE + SHARE * fraction, stage),
        warn=lambda text: None,
    )
    asked = settle(spec, sound_request(spec, prompt, length / RATE)).params
    samples, rate = read_samples(maker.run(asked, Inputs(), context), channels=2)
    warning = APART.format(model=spec.id)
    ctx.warn(warning)
    return msgspec.structs.replace(
        film,
        arrays={**film.arrays, "sound": pcm_of(_fitted(samples, rate, length))},
        warnings=(warning, *film.warnings),
    )


def _fitted(samples: NDArray[np.float32], rate: int, length: int) -> NDArray[np.float32]:
    """Return so many samples at `RATE` of samples with one axis, or n x 2: n x 2."""
    if rate != RATE:
        samples = soxr.resample(samples, rate, RATE)
    fitted = np.zeros((length, 2), np.float32)
    kept = samples[:length]
    fitted[: len(kept)] = kept if kept.ndim == 2 else kept[:, None]
    return fitted
