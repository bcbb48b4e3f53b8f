"""Parameters of vectorizing: a picture becomes an SVG (contract D17)."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from jobs.params.base import Params, Watermark
from jobs.params.media import NAMED, MediaKind, Source
from jobs.params.modality import ModalitySpec


class VectorizeParams(Params, frozen=True, kw_only=True, tag_field="modality", tag="vectorize"):
    """A picture as shapes in an SVG; `input_image` is required. It needs no GPU.

    It is meant for logos, icons and flat art. A photograph becomes a poster of itself.
    """

    media: ClassVar[dict[str, MediaKind]] = {"input_image": "image"}

    input_image: Annotated[Source, Meta(description=f"The picture that is traced. {NAMED}")]
    output_format: Annotated[
        Literal["svg", "webp", "jpeg", "png"],
        Meta(description="svg; the formats of pixels are accepted with a warning and give svg."),
    ] = "svg"
    mode: Annotated[
        Literal["spline", "polygon", "pixel"],
        Meta(description="Outlines of curves, of straight lines, or along the edges of the pixels."),
    ] = "spline"
    color_mode: Annotated[
        Literal["color", "binary"],
        Meta(description="`binary`: what is darker than middle gray in black, and nothing else."),
    ] = "color"
    colors: (
        Annotated[
            int, Meta(ge=2, le=64, description="So many colors at most; without it, as many as `detail` distinguishes.")
        ]
        | None
    ) = None
    detail: (
        Annotated[
            Literal["low", "medium", "high"],
            Meta(
                description="How finely colors and outlines are followed; without it a busy picture is drawn coarser."
            ),
        ]
        | None
    ) = None
    filter_speckle: Annotated[
        int, Meta(ge=0, le=128, description="Patches of fewer pixels than a square of this side are left out.")
    ] = 4
    corner_threshold: Annotated[
        int, Meta(ge=0, le=180, description="Turns of fewer degrees are rounded, with mode spline.")
    ] = 60
    watermark: Watermark = "auto"


VECTORIZE = ModalitySpec(
    name="vectorize",
    params=VectorizeParams,
    summary="Make an SVG from an image",
    note="it is `pending` until its image is fetched and checked.",
    status_summary="Status of an SVG",
    examples=(
        ("Only an image", {"input_image": "https://shop.example/logo.png"}),
        (
            "Four colors, straight lines",
            {"input_image": "https://shop.example/logo.png", "colors": 4, "mode": "polygon"},
        ),
    ),
    word="vectorize",
    argument="input_image",
    formats={".svg": "svg"},
)
"""A picture as an SVG (contract D17)."""
