"""POST /generate/remove-background/v1 and its status."""

from typing import Annotated

from litestar import Controller, Response, post
from litestar.di import NamedDependency
from litestar.openapi.spec import Example
from litestar.params import Body

from api.http.strict_json import StrictRequest
from api.native.generate.factory import SUBMIT_RESPONSES, status_route
from api.submit.endpoint import IdempotencyKeyHeader, SubmitEndpoint, Wait
from jobs.params.cutout import CutoutParams
from jobs.wire.jobs import Accepted
from jobs.wire.status import StatusAnswer

EXAMPLES = [
    Example(summary="A picture is all it takes", value={"image_url": "https://shop.example/chair.jpg"}),
    Example(
        summary="Cropped, on white",
        value={
            "image_url": "https://shop.example/chair.jpg",
            "background_color": "#FFFFFF",
            "crop": True,
            "output_format": "webp",
        },
    ),
]


class CutoutRoutes(Controller):
    """Background removal, in the shape of section C of the contract."""

    path = "/generate/remove-background/v1"
    tags = ("Generate",)
    status = status_route("remove-background", "Status of a cut-out")

    @post(status_code=202, responses=SUBMIT_RESPONSES, summary="Remove a picture's background")
    async def create(
        self,
        request: StrictRequest,
        data: Annotated[CutoutParams, Body(examples=EXAMPLES)],
        desk: NamedDependency[SubmitEndpoint],
        wait: Wait = 0.0,
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> Response[Accepted | StatusAnswer]:
        """Takes a job in and answers 202 with its id; it is `pending` until its picture is fetched and checked."""
        return await desk.accept(request, data, wait=wait, idempotency_key=idempotency_key)
