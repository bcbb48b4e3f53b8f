"""How many images of a job are computed at once. No torch."""

from jobs.params.base import Params
from jobs.params.image import ImageParams
from pipelines.catalog.spec import ModelSpec
from pipelines.diffusion.sampling_settings import choose


def images_at_once(spec: ModelSpec, params: Params) -> int:
    """Return the most images of this job that the catalog lets the model compute at once; at least 1.

    A preset that reuses steps while the first block changes little looks at the whole batch, so that an image would
    depend on those beside it: there it is 1.
    """
    if not isinstance(params, ImageParams) or params.num_images == 1:
        return 1
    reuse = choose(spec, params).reuse
    if reuse is not None and reuse.kind == "first-block":
        return 1
    limit = min(spec.batch.images, params.num_images)
    if spec.batch.pixels is not None:
        limit = min(limit, spec.batch.pixels // (params.width * params.height))
    return max(1, limit)
