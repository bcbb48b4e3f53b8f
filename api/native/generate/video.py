"""POST /generate/video/v1 and its status."""

from typing import Annotated

from litestar import Controller, Response, post
from litestar.di import NamedDependency
from litestar.openapi.spec import Example
from litestar.params import Body

from api.http.strict_json import StrictRequest
from api.native.generate.factory import SUBMIT_RESPONSES, status_route
from api.submit.endpoint import IdempotencyKeyHeader, SubmitEndpoint, Wait
from jobs.params.video import VideoParams
from jobs.wire.jobs import Accepted
from jobs.wire.status import StatusAnswer

EXAMPLES = [
    Example(summary="A picture is all it takes", value={"input_image": "https://shop.example/chair.jpg"}),
    Example(
        summary="Everything said",
        value={
            "input_image": "https://shop.example/chair.jpg",
            "prompt": "slow zoom in, soft light",
            "width": 768,
            "height": 512,
            "duration_seconds": 3.0,
            "seed": 7,
            "output_format": "webm",
            "callback_url": "https://shop.example/hooks/atelier",
        },
    ),
]


class VideoRoutes(Controller):
    """Films from a still, or from words where the model can (contract C24-C32)."""

    path = "/generate/video/v1"
    tags = ("Generate",)
    status = status_route("video", "Status of a film")

    @post(status_code=202, responses=SUBMIT_RESPONSES, summary="Make a film from a still")
    async def create(
        self,
        request: StrictRequest,
        data: Annotated[VideoParams, Body(examples=EXAMPLES)],
        desk: NamedDependency[SubmitEndpoint],
        wait: Wait = 0.0,
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> Response[Accepted | StatusAnswer]:
        """Takes a job in and answers 202 with its id; it is `pending` until its pictures are fetched and checked."""
        return await desk.accept(request, data, wait=wait, idempotency_key=idempotency_key)
