"""Parameters of branding: a picture that is there already gets a logo, or the colors of a palette."""

from typing import Annotated, ClassVar

from msgspec import Meta

from jobs.params.base import Corner, OutputFormat, Palette, Params
from jobs.params.media import NAMED, MediaKind, Source
from jobs.params.modality import ModalitySpec


class BrandingParams(Params, frozen=True, kw_only=True, tag_field="modality", tag="branding"):
    """A picture with a logo or a palette; `input_image` is required, and `logo_url` or `palette`. It needs no GPU."""

    media: ClassVar[dict[str, MediaKind]] = {"input_image": "image", "logo_url": "image"}

    input_image: Annotated[Source, Meta(description=f"The picture. {NAMED}")]
    output_format: Annotated[OutputFormat, Meta(description="File format of the picture.")] = "webp"
    logo_url: Annotated[Source, Meta(description="A logo to stamp on the picture at half opacity.")] | None = None
    logo_position: Corner = "bottom_right"
    palette: Palette = ()


BRANDING = ModalitySpec(
    name="branding",
    params=BrandingParams,
    summary="Brand a picture",
    note="it is `pending` until its pictures are fetched and checked.",
    status_summary="Status of a branded picture",
    examples=(
        (
            "A logo",
            {"input_image": "https://shop.example/chair.jpg", "logo_url": "https://shop.example/logo.png"},
        ),
        (
            "Brand colors",
            {"input_image": "https://shop.example/chair.jpg", "palette": ["#FF5733", "#3498DB"]},
        ),
    ),
    word="branding",
    argument="input_image",
    formats={".webp": "webp", ".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg"},
    flags={"logo_url": ("--logo",)},
)
"""Branding of a picture that is there already."""
