"""Parameters of text and images to image (contract C12-C23, and the native extras)."""

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from jobs.params.base import (
    Corner,
    EnhancePrompt,
    OutputFormat,
    Palette,
    Params,
    Prompt,
    Quality,
    Resolution,
    Seed,
    Watermark,
)
from jobs.params.media import NAMED, Elements, Loras, MediaKind, Source
from jobs.params.modality import ModalitySpec

MAX_IMAGES = 8
"""Most images of one job."""
Side = Annotated[int, Meta(ge=64, le=2048, description="Pixels.")]


ControlKind = Literal["canny", "depth", "pose"]
"""Edges as Canny's algorithm finds them, distances, or the joints of people."""
OPAQUE = 127
"""An alpha (0 to 255) of a mask above this is not repainted."""
MAX_PADDING = 2048
Border = Annotated[int, Meta(ge=0, le=MAX_PADDING, description="Pixels of `input_image`.")]


class Padding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far a picture is extended beyond each of its sides; the model paints what is new."""

    left: Border = 0
    top: Border = 0
    right: Border = 0
    bottom: Border = 0


class ImageParams(Params, frozen=True, kw_only=True, tag_field="modality", tag="image"):
    """An image from a prompt; only `prompt` is required.

    `input_image` is changed as far as `strength` allows, with a `mask` only where that is transparent, with a `padding`
    only beyond its sides; `reference_images` guide the model (an editing model changes the first of them). Image n of
    `num_images` has the seed `seed + n`.
    """

    media: ClassVar[dict[str, MediaKind]] = {
        "input_image": "image",
        "mask": "image",
        "control_image": "image",
        "reference_images": "image",
        "logo_url": "image",
        "subject_image": "image",
    }

    prompt: Prompt
    output_format: Annotated[OutputFormat, Meta(description="File format of the image.")] = "webp"
    quality: Annotated[Quality, Meta(description="A preset of the model; fields that you set win over it.")] = (
        "standard"
    )
    num_images: Annotated[int, Meta(ge=1, le=MAX_IMAGES, description="Images to make.")] = 1
    input_image: Annotated[Source, Meta(description=f"The image to start from. {NAMED}")] | None = None
    mask: (
        Annotated[
            Source, Meta(description="Of the size of `input_image`: only what is transparent in it is repainted.")
        ]
        | None
    ) = None
    padding: Annotated[
        Padding | None,
        Meta(
            description="Extends `input_image`, and paints what is new. The image is as large as all of it, at most "
            "`width` x `height`."
        ),
    ] = None
    strength: Annotated[float, Meta(gt=0, le=1, description="How much of `input_image` may change.")] | None = None
    reference_images: Annotated[
        tuple[Source, ...], Meta(max_length=16, description="Images that guide the model.")
    ] = ()
    elements: Elements = ()
    control_image: (
        Annotated[Source, Meta(description="The image is made along its edges, or as `control_kind` says.")] | None
    ) = None
    control_kind: Annotated[ControlKind, Meta(description="What of `control_image` the image follows.")] = "canny"
    control_as_given: Annotated[
        bool,
        Meta(description="`control_image` shows edges, depths or poses itself, on black."),
    ] = False
    control_scale: Annotated[float, Meta(ge=0, le=2, description="How closely `control_image` is followed.")] | None = (
        None
    )
    loras: Loras = ()
    negative_prompt: Annotated[str, Meta(max_length=4000, description="What to avoid.")] | None = None
    width: Side = 1024
    height: Side = 1024
    resolution: (
        Annotated[
            Resolution,
            Meta(description="The longest side, in the shape of `width` and `height`; 2K and 4K of some models."),
        ]
        | None
    ) = None
    num_inference_steps: Annotated[int, Meta(ge=1, le=200, description="Denoising steps.")] | None = None
    guidance_scale: Annotated[float, Meta(ge=0, le=30, description="Adherence to the prompt.")] | None = None
    seed: Seed = -1
    watermark: Watermark = "auto"
    enhance_prompt: EnhancePrompt = False
    logo_url: Annotated[Source, Meta(description="A logo to stamp on the image at half opacity.")] | None = None
    logo_position: Corner = "bottom_right"
    palette: Palette = ()
    palette_mode: (
        Annotated[
            Literal["similar", "complementary", "radical"],
            Meta(
                description="Take the palette from `subject_image`: its colors, their opposites, or a third turn away."
            ),
        ]
        | None
    ) = None
    subject_image: (
        Annotated[
            Source,
            Meta(description="A picture whose subject is cut out and put over the image, which has its size then."),
        ]
        | None
    ) = None
    profile_id: Annotated[str, Meta(max_length=200, description="Defaults of POST /profiles/v1.")] | None = None


IMAGE = ModalitySpec(
    name="image",
    params=ImageParams,
    summary="Make an image from a prompt",
    note="with `?wait` it answers 200 once the job has ended.",
    status_summary="Status of an image",
    examples=(
        ("A prompt is all it takes", {"prompt": "a red circle on a blue background"}),
        (
            "Everything said",
            {
                "prompt": "a small green star in the top left on a black background",
                "width": 512,
                "height": 512,
                "seed": 42,
                "output_format": "png",
                "callback_url": "https://shop.example/hooks/atelier",
            },
        ),
        (
            "From an image",
            {
                "prompt": "the same chair in green velvet",
                "input_image": "https://shop.example/chair.jpg",
                "num_images": 2,
            },
        ),
    ),
    word="image",
    argument="prompt",
    formats={".webp": "webp", ".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg"},
    flags={
        "input_image": ("--input",),
        "reference_images": ("--reference",),
        "loras": ("--lora",),
        "num_images": ("-n", "--num-images"),
        "num_inference_steps": ("--steps",),
        "guidance_scale": ("--guidance",),
    },
)
"""Text and images to image (contract C12-C23)."""
