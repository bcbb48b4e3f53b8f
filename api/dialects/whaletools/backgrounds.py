"""Background removal in WhaleTools' format: one image, or a batch."""

from collections.abc import Sequence
from typing import Any

import msgspec

from api.dialects.whaletools.schema import BackgroundRequest
from core.errors.fields import InvalidRequest, MissingField
from core.settings import Settings
from jobs.job import Job
from jobs.params.cutout import CutoutParams
from jobs.wire.dialects.whaletools import answer


def background_params(asked: BackgroundRequest, model: str | None) -> list[CutoutParams]:
    """Return the parameters of each image. Raises `MissingField`, or `InvalidRequest` for both fields."""
    if asked.image_url is not None and asked.image_urls is not None:
        raise InvalidRequest(
            "Send `image_url` for one image or `image_urls` for several, not both.", field="$.image_urls"
        )
    images: Sequence[str] = asked.image_urls or ()
    if asked.image_url is not None:
        images = (asked.image_url,)
    if not images:
        raise MissingField("`image_url` is required, or `image_urls` for several images; add one.", field="$.image_url")
    return [
        CutoutParams(
            image_url=image,
            model=model,
            output_format=asked.output_format,
            semitransparency=asked.semitransparency,
            callback_url=asked.webhook_url,
        )
        for image in images
    ]


def batch_item(job: Job, settings: Settings) -> dict[str, Any]:
    """Return an image of a batch: its answer, or what it waits for or failed with, and whether it is transparent."""
    item: dict[str, Any] = msgspec.to_builtins(answer(job, settings))
    return {"url": None, "transparent": False, **item}
