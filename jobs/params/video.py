"""Parameters of image or text to video (contract C24-C32, and the native extras), and of avatar clips (D16)."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from jobs.params.base import EnhancePrompt, Params, Prompt, Quality, Seed, Watermark
from jobs.params.media import NAMED, Loras, MediaKind, Source
from jobs.params.modality import ModalitySpec

MOST_REFERENCES = 4
"""Reference images of a video."""
MOST_SHOTS = 12
"""Shots of a storyboard, which is made of videos (`jobs.params.requests.storyboard`)."""
Side = Annotated[int, Meta(ge=64, le=1536, multiple_of=32, description="Pixels, a multiple of 32.")]
Share = Annotated[float, Meta(ge=0, le=1)]


class VideoParams(Params, frozen=True, kw_only=True, tag_field="modality", tag="video"):
    """A video from an image, or from the prompt alone without `input_image`, where the model supports it."""

    media: ClassVar[dict[str, MediaKind]] = {
        "input_image": "image",
        "last_image": "image",
        "reference_images": "image",
        "motion_video": "video",
    }

    input_image: (
        Annotated[Source, Meta(description=f"The first frame; not needed by a text-to-video model. {NAMED}")] | None
    ) = None
    last_image: Annotated[Source, Meta(description="The last frame, for a model that supports one.")] | None = None
    reference_images: Annotated[
        tuple[Source, ...],
        Meta(max_length=MOST_REFERENCES, description="What is to be seen in the video, for a model that can."),
    ] = ()
    motion_video: (
        Annotated[Source, Meta(description="A film whose motion `input_image` follows, for a model that can.")] | None
    ) = None
    motion_as_given: Annotated[
        bool, Meta(description="`motion_video` shows drawn poses, depth or outlines itself, and no person.")
    ] = False
    loras: Loras = ()
    prompt: Prompt = "cinematic motion"
    enhance_prompt: EnhancePrompt = False
    negative_prompt: Annotated[str, Meta(max_length=4000, description="What to avoid.")] | None = None
    output_format: Annotated[
        Literal["mp4", "webm", "webp", "jpeg", "png"],
        Meta(description="mp4 (H.264) or webm (VP9); image formats are accepted with a warning and give mp4."),
    ] = "mp4"
    quality: Annotated[Quality, Meta(description="A preset of the model; fields that you set win over it.")] = (
        "standard"
    )
    width: Side = 896
    height: Side = 512
    duration_seconds: Annotated[float, Meta(ge=0.1, le=10, description="Seconds of video.")] = 2.0
    sound: Annotated[bool, Meta(description="A video with sound, of its own or made apart by a model of sounds.")] = (
        False
    )
    num_inference_steps: Annotated[int, Meta(ge=1, le=200, description="Denoising steps.")] | None = None
    guidance_scale: Annotated[float, Meta(ge=0, le=30, description="Adherence to the prompt.")] | None = None
    seed: Seed = 42
    watermark: Watermark = "auto"


VIDEO = ModalitySpec(
    name="video",
    params=VideoParams,
    summary="Make a video from an image, or from a prompt alone",
    note="it is `pending` until its images are fetched and checked.",
    status_summary="Status of a video",
    examples=(
        ("Only an image", {"input_image": "https://shop.example/chair.jpg"}),
        (
            "With every usual field",
            {
                "input_image": "https://shop.example/chair.jpg",
                "prompt": "slow zoom in, soft light",
                "width": 768,
                "height": 512,
                "duration_seconds": 3.0,
                "seed": 7,
                "output_format": "webm",
                "callback_url": "https://shop.example/hooks/atelier",
            },
        ),
    ),
    word="video",
    argument="prompt",
    formats={".mp4": "mp4", ".webm": "webm"},
    flags={
        "input_image": ("--input",),
        "last_image": ("--last",),
        "reference_images": ("--reference",),
        "motion_video": ("--motion",),
        "loras": ("--lora",),
        "duration_seconds": ("--duration",),
        "num_inference_steps": ("--steps",),
        "guidance_scale": ("--guidance",),
    },
)
"""Image to video, and text to video where the model supports it (contract C24-C32)."""


class AvatarParams(Params, frozen=True, kw_only=True, tag_field="modality", tag="avatar"):
    """A film of a picture whose face says a recording; `input_image` and `input_audio` are required.

    The face is where `face_x`, `face_y` and `face_size` say, all of them shares of the picture's sides.
    """

    media: ClassVar[dict[str, MediaKind]] = {"input_image": "image", "input_audio": "audio"}

    input_image: Annotated[Source, Meta(description=f"The picture with the face. {NAMED}")]
    input_audio: Annotated[Source, Meta(description="What it says: a recording of a voice of up to a minute.")]
    output_format: Annotated[
        Literal["mp4", "webm", "webp", "jpeg", "png"],
        Meta(description="mp4 (H.264) or webm (VP9); image formats are accepted with a warning and give mp4."),
    ] = "mp4"
    face_x: Annotated[Share, Meta(description="The middle of the face, from the left of the picture.")] = 0.5
    face_y: Annotated[Share, Meta(description="The middle of the face, from the top of the picture.")] = 0.45
    face_size: Annotated[
        float, Meta(ge=0.02, le=1, description="The height of the face, from brow to chin, of the picture's height.")
    ] = 0.5
    watermark: Watermark = "auto"


AVATAR = ModalitySpec(
    name="avatar",
    params=AvatarParams,
    summary="Make a face say a recording",
    note="it is `pending` until its picture and its recording are fetched and checked.",
    status_summary="Status of an avatar clip",
    examples=(
        (
            "A portrait and a recording",
            {"input_image": "https://shop.example/anna.jpg", "input_audio": "https://shop.example/hello.wav"},
        ),
        (
            "The face is small, at the top left",
            {
                "input_image": "https://shop.example/anna-in-the-shop.jpg",
                "input_audio": "https://shop.example/hello.wav",
                "face_x": 0.25,
                "face_y": 0.3,
                "face_size": 0.2,
            },
        ),
    ),
    word="avatar",
    argument="input_image",
    formats={".mp4": "mp4", ".webm": "webm"},
    flags={"input_audio": ("--audio",)},
)
"""A face that says a recording (contract D16)."""
