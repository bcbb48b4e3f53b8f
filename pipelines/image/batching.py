"""How many images are computed at once, of one job and of several. No torch."""

from jobs.params.base import Params
from jobs.params.image import ImageParams
from jobs.params.media import media_of
from pipelines.catalog.spec import ModelSpec
from pipelines.diffusion.sampling_settings import choose


def images_at_once(spec: ModelSpec, params: Params) -> int:
    """Return the most images of this job that the catalog lets the model compute at once; at least 1."""
    if not isinstance(params, ImageParams):
        return 1
    return _within_limits(spec, params, min(spec.batch.images, params.num_images))


def jobs_at_once(spec: ModelSpec, params: Params) -> int:
    """Return the most jobs like this one that the catalog lets the model compute at once, itself included; at least 1.

    Only jobs of one image share a run, and only those that take no media.
    """
    if not isinstance(params, ImageParams) or params.num_images > 1 or any(media_of(params)):
        return 1
    return _within_limits(spec, params, spec.batch.jobs)


def _within_limits(spec: ModelSpec, params: ImageParams, most: int) -> int:
    """Return `most`, or fewer where the images would have too many pixels together.

    A preset that reuses steps while the first block changes little looks at the whole batch, so that an image would
    depend on those beside it: there it is 1.
    """
    if most == 1:
        return 1
    reuse = choose(spec, params).reuse
    if reuse is not None and reuse.kind == "first-block":
        return 1
    if spec.batch.pixels is not None:
        width, height = spec.size_of(params)
        most = min(most, spec.batch.pixels // (width * height))
    return max(1, most)
