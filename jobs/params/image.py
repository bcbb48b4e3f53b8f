"""Parameters of text to image (contract C12-C23)."""

from typing import Annotated, ClassVar

from msgspec import Meta

from jobs.params.base import Params, Prompt, Seed, Url

Side = Annotated[int, Meta(ge=64, le=1024, description="Pixels.")]
HexColour = Annotated[str, Meta(pattern=r"^#[0-9A-Fa-f]{6}(?!\n)$", description="For example #FF5733.")]


class ImageParams(Params, frozen=True, kw_only=True, tag_field="modality", tag="image"):
    """A picture from a prompt; only `prompt` is required."""

    unbuilt: ClassVar[tuple[str, ...]] = ("enhance_prompt", "logo_url", "palette", "profile_id")

    prompt: Prompt
    negative_prompt: Annotated[str, Meta(max_length=4000, description="What to avoid.")] | None = None
    width: Side = 1024
    height: Side = 1024
    num_inference_steps: Annotated[int, Meta(ge=1, le=200, description="Denoising steps.")] | None = None
    guidance_scale: Annotated[float, Meta(ge=0, le=30, description="Adherence to the prompt.")] | None = None
    seed: Seed = -1
    enhance_prompt: bool = False
    logo_url: Url | None = None
    palette: Annotated[tuple[HexColour, ...], Meta(max_length=16)] = ()
    profile_id: Annotated[str, Meta(max_length=200)] | None = None
