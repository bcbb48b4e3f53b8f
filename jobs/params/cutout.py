"""Parameters of background removal (contract D18, A50-A61, in the shape of section C)."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from jobs.params.base import Params
from jobs.params.media import MediaKind, Source
from jobs.params.modality import ModalitySpec

Color = Annotated[str, Meta(pattern=r"^#[0-9A-Fa-f]{6}(?!\n)$", description="For example #FFFFFF.")]


class CutoutParams(Params, frozen=True, kw_only=True, tag_field="modality", tag="remove-background"):
    """The foreground of a picture on transparency; `image_url` is required."""

    media: ClassVar[dict[str, MediaKind]] = {"image_url": "image"}

    image_url: Source
    output_format: Annotated[
        Literal["png", "webp", "jpeg"],
        Meta(description="png or webp; jpeg, which has no transparency, is taken with a warning and gives png."),
    ] = "png"
    mask_only: Annotated[bool, Meta(description="Return the matte itself.")] = False
    background_color: Annotated[Color, Meta(description="Put the foreground on this color.")] | None = None
    crop: Annotated[bool, Meta(description="Crop to the foreground.")] = False


CUTOUT = ModalitySpec(
    name="remove-background",
    params=CutoutParams,
    summary="Remove a picture's background",
    note="it is `pending` until its picture is fetched and checked.",
    status_summary="Status of a cut-out",
    examples=(
        ("A picture is all it takes", {"image_url": "https://shop.example/chair.jpg"}),
        (
            "Cropped, on white",
            {
                "image_url": "https://shop.example/chair.jpg",
                "background_color": "#FFFFFF",
                "crop": True,
                "output_format": "webp",
            },
        ),
    ),
    word="cutout",
    argument="image_url",
    formats={".png": "png", ".webp": "webp"},
    flags={"background_color": ("--background",)},
)
"""Background removal, in the shape of section C of the contract."""
