"""OpenAI's requests for images as parameters of jobs."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from api.dialects.openai.schema import EditRequest, GenerationRequest, ImageOptions, VariationRequest
from core.errors.fields import NotSupportedYet
from jobs.params.image import MAX_IMAGES, ImageParams
from pipelines.catalog.media_request import QUALITIES
from pipelines.catalog.sizes import IMAGE_SIDES, fit_sides, parse_pair

USUAL = 1024
IGNORED = ("style", "output_compression", "moderation", "input_fidelity")
"""Fields that change nothing here: a header of the answer says so."""
VARIATION = "a variation of this picture"
"""The prompt of a variation, which has none of its own."""


class ImageJobs(msgspec.Struct, frozen=True):
    """The parameters of the jobs of a request, and what was done otherwise than asked."""

    params: Sequence[ImageParams]
    warnings: tuple[str, ...] = ()


def image_jobs(
    asked: GenerationRequest | EditRequest | VariationRequest,
    model: str | None,
    pictures: Sequence[str] = (),
    mask: str | None = None,
) -> ImageJobs:
    """Return the jobs of a request: one for each eight images. Raises `NotSupportedYet`."""
    if asked.background == "transparent":
        raise NotSupportedYet(
            "`background` transparent is not supported yet; leave it out, and remove the background of the image with "
            "POST /remove-background/image/v1.",
            field="$.background",
        )
    (width, height), resized = image_size(asked.size)
    params = ImageParams(
        prompt=getattr(asked, "prompt", VARIATION),
        model=model,
        input_image=pictures[0] if pictures else None,
        mask=mask,
        reference_images=tuple(pictures[1:]),
        width=width,
        height=height,
        quality=QUALITIES[asked.quality or "auto"],
        output_format=asked.output_format or "png",
        negative_prompt=asked.negative_prompt,
        seed=asked.seed,
        enhance_prompt=asked.enhance_prompt,
    )
    wanted = asked.n or 1
    counts = [min(MAX_IMAGES, wanted - done) for done in range(0, wanted, MAX_IMAGES)]
    return ImageJobs(
        [msgspec.structs.replace(params, num_images=count) for count in counts], (*resized, *_ignored(asked))
    )


def image_size(size: str | None) -> tuple[tuple[int, int], tuple[str, ...]]:
    """Return width and height, the nearest of the same shape that can be made, and a warning where it is another."""
    if size in (None, "auto"):
        return (USUAL, USUAL), ()
    width, height = fit_sides(*parse_pair(size or "", "x"), IMAGE_SIDES, 1)
    if size == f"{width}x{height}":
        return (width, height), ()
    least, most = IMAGE_SIDES
    return (width, height), (f"size {size} is resized to {width}x{height}: sides have {least} to {most} pixels",)


def as_links(asked: ImageOptions) -> bool:
    """Return whether the images are answered as links: where it says so, and for the models whose default it is."""
    if asked.response_format is not None:
        return asked.response_format == "url"
    return (asked.model or "").startswith("dall-e")


def shows_partial_images(asked: ImageOptions) -> bool:
    """Return whether the answer shows images while they are made."""
    return bool(asked.stream and asked.partial_images)


def _ignored(asked: ImageOptions) -> Iterator[str]:
    for name in IGNORED:
        value: Any = getattr(asked, name, None)
        if value is not None:
            yield f"{name} is ignored"
    if asked.partial_images and not asked.stream:
        yield "partial_images is ignored without stream"
