"""Prompts of pictures and films, written anew by a language model before they are made. No torch."""

import msgspec

from jobs.params.image import ImageParams
from jobs.params.text import TextParams
from jobs.params.video import VideoParams
from pipelines.runtime.protocol import Inputs, Pipeline, RunContext

MOST_TOKENS = 160
"""Of a prompt: the 60 words that the templates ask for, in any language."""
LONGEST = 4000
"""Characters of `jobs.params.base.Prompt`."""
_TEMPLATES: dict[type, str] = {ImageParams: "image-prompt", VideoParams: "video-prompt"}
_QUOTES = "\"'`*“”„«»"


def enhance_prompt(writer: Pipeline, params: ImageParams | VideoParams, ctx: RunContext) -> ImageParams | VideoParams:
    """Return the parameters with the prompt that `writer`, a model of texts, makes of theirs.

    The job's seed is that of the text as well, so another attempt writes the same. Raises what `ctx.progress` and the
    model raise.
    """
    asked = TextParams(template=_TEMPLATES[type(params)], variables={"prompt": params.prompt}, max_tokens=MOST_TOKENS)
    context = RunContext(
        seed=ctx.seed,
        progress=lambda fraction, stage: ctx.progress(0.0, "prepare"),
        warn=lambda text: None,
    )
    written = writer.run(asked, Inputs(), context).arrays["text"].tobytes().decode()
    return msgspec.structs.replace(params, prompt=as_prompt(written) or params.prompt)


def as_prompt(written: str) -> str:
    """Return what a model wrote as one line, without marks around it; a last sentence that was cut off is left out."""
    line = " ".join(written.split()).strip(_QUOTES + " ")
    ended = line.rfind(". ")
    if ended > 0 and not line.endswith((".", "!", "?")):
        line = line[: ended + 1]
    return line[:LONGEST]
