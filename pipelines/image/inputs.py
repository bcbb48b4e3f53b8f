"""The pictures that a job brings, as a model looks at them. No torch."""

from pathlib import Path

import msgspec
from PIL import Image, ImageOps

from pipelines.catalog.requirements import check_media, takes_input_as_reference
from pipelines.catalog.spec import ModelSpec
from pipelines.image.flatten import flatten_on_white
from pipelines.runtime.protocol import Inputs

LEAST_SIDE = 64
MOST_OBLONG = 8
"""What every editing model takes: sides of at least 64 pixels, none more than 8 times as long as the other."""


class Pictures(msgspec.Struct, frozen=True):
    """RGB, in their own sizes: the one to start from (`input_image`), and those to look at."""

    start: Image.Image | None = None
    references: tuple[Image.Image, ...] = ()


def gather(spec: ModelSpec, inputs: Inputs) -> Pictures:
    """The pictures of `input_image` and `reference_images.0`, `.1`, ... for this model.

    A model that looks at references and does not start from a picture has `input_image` for its first reference.
    Raises what `check_media` raises.
    """
    check_media(spec, inputs.files)
    start = inputs.files.get("input_image")
    names = sorted((name for name in inputs.files if name.startswith("reference_images.")), key=_number)
    references = [inputs.files[name] for name in names]
    if start is not None and takes_input_as_reference(spec):
        references.insert(0, start)
        start = None
    return Pictures(
        start=None if start is None else read_picture(start),
        references=tuple(presentable(read_picture(file)) for file in references),
    )


def read_picture(file: Path) -> Image.Image:
    """A clean PNG as RGB; what is transparent becomes white."""
    with Image.open(file, formats=["PNG"]) as picture:
        return flatten_on_white(picture)


def presentable(picture: Image.Image) -> Image.Image:
    """The picture within `MOST_OBLONG`, by white borders, and not smaller than `LEAST_SIDE`.

    Larger ones stay as they are: the pipelines themselves bring references to about a megapixel.
    """
    width, height = picture.size
    least = -(-max(width, height) // MOST_OBLONG)
    if min(width, height) < least:
        picture = ImageOps.pad(picture, (max(width, least), max(height, least)), color="white")
    if min(picture.size) < LEAST_SIDE:
        scale = LEAST_SIDE / min(picture.size)
        larger = (round(picture.width * scale), round(picture.height * scale))
        picture = picture.resize(larger, Image.Resampling.LANCZOS)
    return picture


def _number(name: str) -> int:
    return int(name.partition(".")[2])
