"""Parameters of image to video (contract C24-C32)."""

from typing import Annotated

from msgspec import Meta

from jobs.params.base import Params, Prompt, Seed, Url

Side = Annotated[int, Meta(ge=64, le=1536, multiple_of=32, description="Pixels, a multiple of 32.")]


class VideoParams(Params, frozen=True, kw_only=True, tag_field="modality", tag="video"):
    """A film from a still; `input_image` is required."""

    input_image: Url
    prompt: Prompt = "cinematic motion"
    width: Side = 896
    height: Side = 512
    duration_seconds: Annotated[float, Meta(ge=0.1, le=10, description="Seconds of film.")] = 2.0
    seed: Seed = 42
