"""The input images of a job, prepared for a model. No torch."""

from pathlib import Path

import msgspec
from PIL import Image, ImageOps

from jobs.params.image import OPAQUE, Padding
from pipelines.catalog.requirements import CONTROL, MASK, PADDING, check_media, takes_input_as_reference
from pipelines.catalog.spec import ModelSpec
from pipelines.image.flatten import flatten_on_white
from pipelines.image.outpaint import extend_image, extend_mask
from pipelines.runtime.protocol import Inputs

MIN_SIDE = 64
MAX_ASPECT_RATIO = 8
"""Limits of every editing model: sides of at least `MIN_SIDE` pixels, none more than `MAX_ASPECT_RATIO` times the
other."""


class ImageInputs(msgspec.Struct, frozen=True):
    """RGB images in their own sizes: the one to start from (`input_image`), the references, and the one to follow.

    The one to follow has the size of the image by the time that the pipeline is called, and shows what is followed.
    `mask` is of the size of `start`: 255 where it is repainted, 0 elsewhere. With a padding both have the size with it.
    """

    start: Image.Image | None = None
    references: tuple[Image.Image, ...] = ()
    mask: Image.Image | None = None
    control: Image.Image | None = None


def gather_images(spec: ModelSpec, inputs: Inputs, padding: Padding | None = None) -> ImageInputs:
    """Return the images of `input_image` and `reference_images.0`, `.1`, ... for this model.

    A model that edits and does not start from an image takes `input_image` as its first reference, unless it repaints
    it: beyond its sides, or under a mask. Raises what `check_media` raises.
    """
    check_media(spec, (*inputs.files, PADDING) if padding else inputs.files)
    start, references = inputs.files.get("input_image"), read_references(inputs)
    is_repainted = padding is not None or MASK in inputs.files
    if start is not None and takes_input_as_reference(spec) and not is_repainted:
        references.insert(0, fit_reference(read_image(start)))
        start = None
    image, file = None if start is None else read_image(start), inputs.files.get(MASK)
    mask = None if image is None or file is None else read_mask(file)
    if image is not None and padding is not None:
        image, mask = extend_image(image, padding), extend_mask(mask, image.size, padding)
    return ImageInputs(
        start=image,
        mask=mask,
        references=tuple(references),
        control=read_image(inputs.files[CONTROL]) if CONTROL in inputs.files else None,
    )


def read_references(inputs: Inputs) -> list[Image.Image]:
    """Return the images of `reference_images.0`, `.1`, ... as `fit_reference` makes them."""
    names = sorted((name for name in inputs.files if name.startswith("reference_images.")), key=_number)
    return [fit_reference(read_image(inputs.files[name])) for name in names]


def read_image(file: Path) -> Image.Image:
    """Read a clean PNG as RGB; transparency becomes white."""
    with Image.open(file, formats=["PNG"]) as image:
        return flatten_on_white(image)


def read_mask(file: Path) -> Image.Image:
    """Read the alpha of a clean PNG: 255 where a pixel is transparent, which is to be repainted, and 0 elsewhere.

    A pixel counts as transparent below half of full opacity. Ingest has seen that one is, and that the mask is of the
    size of its image.
    """
    with Image.open(file, formats=["PNG"]) as image:
        alpha = image.convert("RGBA").getchannel("A")
    return alpha.point([255] * (OPAQUE + 1) + [0] * (255 - OPAQUE))


def fit_reference(image: Image.Image) -> Image.Image:
    """Return the image within `MAX_ASPECT_RATIO`, by white borders, and not smaller than `MIN_SIDE`.

    Larger images stay as they are: the pipelines themselves scale references to about a megapixel.
    """
    width, height = image.size
    least = -(-max(width, height) // MAX_ASPECT_RATIO)
    if min(width, height) < least:
        image = ImageOps.pad(image, (max(width, least), max(height, least)), color="white")
    if min(image.size) < MIN_SIDE:
        scale = MIN_SIDE / min(image.size)
        larger = (round(image.width * scale), round(image.height * scale))
        image = image.resize(larger, Image.Resampling.LANCZOS)
    return image


def _number(name: str) -> int:
    return int(name.partition(".")[2])
