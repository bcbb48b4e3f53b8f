"""Parameters of upscaling (contract D20, D21), a larger picture or film, and of interpolation, more of its frames."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from jobs.params.base import Params, Watermark
from jobs.params.media import NAMED, MediaKind, Source
from jobs.params.modality import ModalitySpec


class UpscaleParams(Params, frozen=True, kw_only=True, tag_field="modality", tag="upscale"):
    """A picture or a film twice or four times as large; `input_image` or `input_video` is required."""

    media: ClassVar[dict[str, MediaKind]] = {"input_image": "image", "input_video": "video"}

    input_image: Annotated[Source, Meta(description=f"The picture that is enlarged. {NAMED}")] | None = None
    input_video: (
        Annotated[Source, Meta(description="Or the film, as MP4, WebM or MOV, for a model that takes films.")] | None
    ) = None
    output_format: Annotated[
        Literal["webp", "png", "jpeg", "mp4", "webm"],
        Meta(description="webp, png or jpeg of a picture; mp4 (H.264, also for webp) or webm (VP9) of a film."),
    ] = "webp"
    scale: Annotated[int, Meta(ge=2, le=4, multiple_of=2, description="How many times as wide and high: 2 or 4.")] = 4
    method: Annotated[
        Literal["realesrgan", "lanczos"],
        Meta(description="A network, which draws detail that was probably there, or a filter, which adds none."),
    ] = "realesrgan"
    watermark: Watermark = "auto"


UPSCALE = ModalitySpec(
    name="upscale",
    params=UpscaleParams,
    summary="Enlarge an image or a video",
    note="it is `pending` until its image or video is fetched and checked.",
    status_summary="Status of an enlarged image or video",
    examples=(
        ("Only an image", {"input_image": "https://shop.example/chair.jpg"}),
        (
            "Twice as large, as a PNG, without invented detail",
            {
                "input_image": "https://shop.example/chair.jpg",
                "scale": 2,
                "method": "lanczos",
                "output_format": "png",
            },
        ),
        ("A video", {"input_video": "https://shop.example/chair.mp4", "scale": 2, "output_format": "webm"}),
    ),
    word="upscale",
    argument="input_image",
    formats={".webp": "webp", ".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".mp4": "mp4", ".webm": "webm"},
    flags={"input_video": ("--video",)},
)
"""A larger picture or film (contract D20, D21)."""


class InterpolateParams(Params, frozen=True, kw_only=True, tag_field="modality", tag="interpolate"):
    """A film with more frames a second; `input_video` is required.

    It lasts as long as before, and its own frames and its sound stay.
    """

    media: ClassVar[dict[str, MediaKind]] = {"input_video": "video"}

    input_video: Annotated[Source, Meta(description="The film, as MP4, WebM or MOV.")]
    factor: Annotated[int, Meta(ge=2, le=4, description="How many times as many frames a second: 2, 3 or 4.")] = 2
    output_format: Annotated[
        Literal["mp4", "webm", "webp", "jpeg", "png"],
        Meta(description="mp4 (H.264) or webm (VP9); image formats are accepted with a warning and give mp4."),
    ] = "mp4"
    watermark: Watermark = "auto"


INTERPOLATE = ModalitySpec(
    name="interpolate",
    params=InterpolateParams,
    summary="Draw frames between those of a video",
    note="it is `pending` until its video is fetched and checked.",
    status_summary="Status of a video with more frames",
    examples=(
        ("Twice as many frames", {"input_video": "https://shop.example/chair.mp4"}),
        (
            "Three times as many, as WebM",
            {"input_video": "https://shop.example/chair.mp4", "factor": 3, "output_format": "webm"},
        ),
    ),
    word="interpolate",
    argument="input_video",
    formats={".mp4": "mp4", ".webm": "webm"},
)
"""More frames a second of a film."""
