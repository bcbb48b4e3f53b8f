"""POST /generate/image/v1 and its status."""

from typing import Annotated

from litestar import Controller, Response, post
from litestar.di import NamedDependency
from litestar.openapi.spec import Example
from litestar.params import Body

from api.http.strict_json import StrictRequest
from api.native.generate.factory import SUBMIT_RESPONSES, status_route
from api.submit.endpoint import IdempotencyKeyHeader, SubmitEndpoint, Wait
from jobs.params.image import ImageParams
from jobs.wire.jobs import Accepted
from jobs.wire.status import StatusAnswer

EXAMPLES = [
    Example(summary="A prompt is all it takes", value={"prompt": "a red circle on a blue background"}),
    Example(
        summary="Everything said",
        value={
            "prompt": "a small green star in the top left on a black background",
            "width": 512,
            "height": 512,
            "seed": 42,
            "output_format": "png",
            "callback_url": "https://shop.example/hooks/atelier",
        },
    ),
    Example(
        summary="From a picture",
        value={
            "prompt": "the same chair in green velvet",
            "input_image": "https://shop.example/chair.jpg",
            "num_images": 2,
        },
    ),
]


class ImageRoutes(Controller):
    """Text and pictures to image (contract C12-C23)."""

    path = "/generate/image/v1"
    tags = ("Generate",)
    status = status_route("image", "Status of a picture")

    @post(status_code=202, responses=SUBMIT_RESPONSES, summary="Make a picture from a prompt")
    async def create(
        self,
        request: StrictRequest,
        data: Annotated[ImageParams, Body(examples=EXAMPLES)],
        desk: NamedDependency[SubmitEndpoint],
        wait: Wait = 0.0,
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> Response[Accepted | StatusAnswer]:
        """Takes a job in and answers 202 with its id; with `?wait` it answers 200 once the job has ended."""
        return await desk.accept(request, data, wait=wait, idempotency_key=idempotency_key)
