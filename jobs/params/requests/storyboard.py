"""A storyboard: shots that become one film, as a chain of jobs."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from jobs.params.base import Params, Prompt, Quality, Seed, Watermark
from jobs.params.media import Elements, Source
from jobs.params.video import MOST_SHOTS, Side

Seconds = Annotated[float, Meta(ge=0.1, le=10, description="Seconds of the shot; by default what the model makes.")]


class Shot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One shot of a storyboard. Its first frame is `image`, or drawn from its prompt, or where the shot before ends."""

    prompt: Annotated[Prompt, Meta(description="What the shot shows, and how it moves.")]
    duration_seconds: Seconds | None = None
    image: Annotated[Source, Meta(description="The first frame of the shot.")] | None = None
    continues: Annotated[bool, Meta(description="Begin with the last frame of the shot before.")] = False


class StoryboardParams(Params, frozen=True, kw_only=True, tag_field="modality", tag="storyboard"):
    """Shots that become one film. `model` makes the shots, `image_model` their first frames; each shot is a job."""

    shots: Annotated[
        tuple[Shot, ...], Meta(min_length=1, max_length=MOST_SHOTS, description="The shots, in their order.")
    ]
    prompt: (
        Annotated[Prompt, Meta(description="What all shots have in common; it stands before their prompts.")] | None
    ) = None
    input_image: (
        Annotated[Source, Meta(description="The first frame; with `elements` a picture that the first frames follow.")]
        | None
    ) = None
    elements: Elements = ()
    image_model: Annotated[str, Meta(max_length=200, description="A model of images for the first frames.")] | None = (
        None
    )
    negative_prompt: Annotated[str, Meta(max_length=4000, description="What to avoid.")] | None = None
    output_format: Annotated[Literal["mp4", "webm"], Meta(description="mp4 (H.264) or webm (VP9).")] = "mp4"
    quality: Annotated[Quality, Meta(description="A preset of the model.")] = "standard"
    width: Side = 896
    height: Side = 512
    seed: Seed = 42
    watermark: Watermark = "auto"
