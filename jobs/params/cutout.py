"""Parameters of background removal (contract D18, A50-A61, in the shape of section C), and of the parts of pictures."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from jobs.params.base import HexColor, Params, Watermark
from jobs.params.media import NAMED, MediaKind, Source
from jobs.params.modality import ModalitySpec

MOST_CLASSES = 50


class CutoutParams(Params, frozen=True, kw_only=True, tag_field="modality", tag="remove-background"):
    """The foreground of an image or a film on transparency; `input_image` or `input_video` is required."""

    media: ClassVar[dict[str, MediaKind]] = {"image_url": "image", "input_video": "video"}

    image_url: Annotated[Source, Meta(description=f"The image whose background is removed. {NAMED}")] | None = None
    input_video: (
        Annotated[Source, Meta(description="Or the film, as MP4, WebM or MOV, for a model that takes films.")] | None
    ) = None
    output_format: Annotated[
        Literal["png", "webp", "jpeg", "webm", "mov", "mp4"],
        Meta(description="png or webp; a film is webm (VP9), mov (ProRes 4444) or, opaque, mp4. Others warn."),
    ] = "png"
    mask_only: Annotated[bool, Meta(description="Return the matte itself.")] = False
    background_color: Annotated[HexColor, Meta(description="Put the foreground on this color.")] | None = None
    crop: Annotated[bool, Meta(description="Crop to the foreground.")] = False
    semitransparency: Annotated[
        bool, Meta(description="The thing lets what is behind it through, as hair, fur, glass and veils do.")
    ] = False
    watermark: Watermark = "auto"
    keep_cutout: Annotated[
        bool, Meta(description="With `background_color`, return the cut-out itself as a second output, a PNG.")
    ] = False
    drop_shadow: Annotated[bool, Meta(description="With `background_color`, a soft shadow below the foreground.")] = (
        False
    )
    shadow_opacity: Annotated[float, Meta(ge=0, le=1, description="0 none, 1 black.")] = 0.38
    shadow_blur: Annotated[float, Meta(ge=0, le=0.2, description="Radius, as a share of the width.")] = 0.018
    shadow_dy: Annotated[float, Meta(ge=-0.5, le=0.5, description="Down, as a share of the height.")] = 0.022
    shadow_dx: Annotated[float, Meta(ge=-0.5, le=0.5, description="Right, as a share of the width.")] = 0.004

    @property
    def is_placed_by_encoder(self) -> bool:
        """Whether the encoder puts the cut-out on its color, since it needs the cut-out itself."""
        return self.background_color is not None and not self.mask_only and (self.keep_cutout or self.drop_shadow)


CUTOUT = ModalitySpec(
    name="remove-background",
    params=CutoutParams,
    summary="Remove the background of an image or a video",
    note="it is `pending` until its image or video is fetched and checked.",
    status_summary="Status of a cut-out",
    examples=(
        ("Only an image", {"input_image": "https://shop.example/chair.jpg"}),
        (
            "Cropped, on white",
            {
                "input_image": "https://shop.example/chair.jpg",
                "background_color": "#FFFFFF",
                "crop": True,
                "output_format": "webp",
            },
        ),
        ("Glass", {"input_image": "https://shop.example/vase.jpg", "semitransparency": True}),
        ("A video", {"input_video": "https://shop.example/chair.mp4", "output_format": "webm"}),
    ),
    word="cutout",
    argument="image_url",
    formats={".png": "png", ".webp": "webp", ".webm": "webm", ".mov": "mov", ".mp4": "mp4"},
    flags={"background_color": ("--background",), "input_video": ("--video",)},
)
"""Background removal, in the shape of section C of the contract."""


class SegmentParams(Params, frozen=True, kw_only=True, tag_field="modality", tag="segment"):
    """The parts of a picture, each with a label, a score, a box and its pixels; `input_image` is required."""

    media: ClassVar[dict[str, MediaKind]] = {"input_image": "image"}

    input_image: Annotated[Source, Meta(description=f"The picture whose parts are found. {NAMED}")]
    output_format: Annotated[
        Literal["png", "webp", "jpeg"],
        Meta(description="png, whose pixels are numbers of segments; the other formats give it with a warning."),
    ] = "png"
    classes: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=100, pattern=r"\S")], ...],
        Meta(max_length=MOST_CLASSES, description="Labels; segments with others are left out. Empty: all are kept."),
    ] = ()
    threshold: (
        Annotated[
            float,
            Meta(ge=0, le=1, description="Segments with a lower score are left out; null is the model's own bound."),
        ]
        | None
    ) = None


SEGMENT = ModalitySpec(
    name="segment",
    params=SegmentParams,
    summary="Find the parts of an image",
    note="it is `pending` until its image is fetched and checked.",
    status_summary="Status of segments",
    examples=(
        ("Only an image", {"input_image": "https://shop.example/street.jpg"}),
        ("Only people and dogs", {"input_image": "https://shop.example/street.jpg", "classes": ["person", "dog"]}),
    ),
    word="segment",
    argument="input_image",
    formats={".png": "png"},
    flags={"classes": ("--class",)},
)
"""The parts of a picture, with labels."""
