"""Parameters of films from a still or from words (contract C24-C32, and the native extras)."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from jobs.params.base import Params, Prompt, Quality, Seed
from jobs.params.media import MediaKind, Source

Side = Annotated[int, Meta(ge=64, le=1536, multiple_of=32, description="Pixels, a multiple of 32.")]


class VideoParams(Params, frozen=True, kw_only=True, tag_field="modality", tag="video"):
    """A film from a still; without `input_image` from the prompt alone, where the model can."""

    media: ClassVar[dict[str, MediaKind]] = {"input_image": "image", "last_image": "image"}

    input_image: Annotated[Source, Meta(description="The first frame.")] | None = None
    last_image: Annotated[Source, Meta(description="The last frame, for a model that can end there.")] | None = None
    prompt: Prompt = "cinematic motion"
    negative_prompt: Annotated[str, Meta(max_length=4000, description="What to avoid.")] | None = None
    output_format: Annotated[
        Literal["mp4", "webm", "webp", "jpeg", "png"],
        Meta(description="mp4 (H.264) or webm (VP9); formats of pictures are taken too, with a warning, and give mp4."),
    ] = "mp4"
    quality: Annotated[Quality, Meta(description="A preset of the model; fields that you set win over it.")] = (
        "standard"
    )
    width: Side = 896
    height: Side = 512
    duration_seconds: Annotated[float, Meta(ge=0.1, le=10, description="Seconds of film.")] = 2.0
    num_inference_steps: Annotated[int, Meta(ge=1, le=200, description="Denoising steps.")] | None = None
    guidance_scale: Annotated[float, Meta(ge=0, le=30, description="Adherence to the prompt.")] | None = None
    seed: Seed = 42
