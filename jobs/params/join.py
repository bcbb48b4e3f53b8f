"""Parameters of joining: films that are there already become one."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from jobs.params.base import Params, Watermark
from jobs.params.media import MediaKind, Source
from jobs.params.modality import ModalitySpec

MOST_FILMS = 16


class JoinParams(Params, frozen=True, kw_only=True, tag_field="modality", tag="join"):
    """Films one after the other as one film; `films` is required. It needs no GPU.

    The first one decides the size and the frame rate: others are cropped and shown at that rate. Each has its sound.
    """

    media: ClassVar[dict[str, MediaKind]] = {"films": "video"}

    films: Annotated[
        tuple[Source, ...],
        Meta(min_length=2, max_length=MOST_FILMS, description="The films, in their order, as MP4, WebM or MOV."),
    ]
    output_format: Annotated[
        Literal["mp4", "webm", "webp", "jpeg", "png"],
        Meta(description="mp4 (H.264) or webm (VP9); image formats are accepted with a warning and give mp4."),
    ] = "mp4"
    watermark: Watermark = "auto"


JOIN = ModalitySpec(
    name="join",
    params=JoinParams,
    summary="Join films",
    note="it is `pending` until its films are fetched and checked.",
    status_summary="Status of a joined film",
    examples=(
        (
            "Two films",
            {"films": ["https://shop.example/chair.mp4", "https://shop.example/table.mp4"]},
        ),
    ),
    word="join",
    argument="films",
    formats={".mp4": "mp4", ".webm": "webm"},
)
"""Films that are there already, one after the other."""
