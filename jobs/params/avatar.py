"""Parameters of avatar clips (contract D16): a face that says a recording."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from jobs.params.base import Params, Watermark
from jobs.params.media import NAMED, MediaKind, Source
from jobs.params.modality import ModalitySpec

Share = Annotated[float, Meta(ge=0, le=1)]


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
