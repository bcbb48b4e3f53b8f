"""POST /generate/3d/v1 and its status."""

from typing import Annotated

from litestar import Controller, Response, post
from litestar.di import NamedDependency
from litestar.openapi.spec import Example
from litestar.params import Body

from api.http.strict_json import StrictRequest
from api.native.generate.factory import SUBMIT_RESPONSES, status_route
from api.submit.endpoint import IdempotencyKeyHeader, SubmitEndpoint, Wait
from jobs.params.mesh import MeshParams
from jobs.wire.jobs import Accepted
from jobs.wire.status import StatusAnswer

EXAMPLES = [
    Example(summary="A picture is all it takes", value={"image_path": "https://shop.example/chair.png"}),
    Example(
        summary="With a texture",
        value={"image_path": "https://shop.example/chair.png", "mode": "paint", "painted_save_name": "chair.glb"},
    ),
]


class MeshRoutes(Controller):
    """Image to 3D (contract C41-C47)."""

    path = "/generate/3d/v1"
    tags = ("Generate",)
    status = status_route("3d", "Status of a mesh")

    @post(status_code=202, responses=SUBMIT_RESPONSES, summary="Make a mesh from a picture")
    async def create(
        self,
        request: StrictRequest,
        data: Annotated[MeshParams, Body(examples=EXAMPLES)],
        desk: NamedDependency[SubmitEndpoint],
        wait: Wait = 0.0,
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> Response[Accepted | StatusAnswer]:
        """Takes a job in and answers 202 with its id; it is `pending` until its picture is fetched and checked."""
        return await desk.accept(request, data, wait=wait, idempotency_key=idempotency_key)
