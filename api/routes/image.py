"""POST /generate/image/v1 and its status."""

from typing import Annotated

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.openapi.spec import Example
from litestar.params import Body, FromPath

from api.accepting import ENDED, Accepted, Desk, IdempotencyKey, Wait
from api.auth import Caller
from api.database import Database
from api.documents import refusals
from api.lookup import find_job
from api.outlook import Outlooks
from api.strict_json import StrictRequest
from api.submissions import ERRORS
from jobs.answers import StatusAnswer
from jobs.errors import MalformedId, UnknownJob
from jobs.params import ImageParams

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
]


class ImageRoutes(Controller):
    """Text to image (contract C12-C23)."""

    path = "/generate/image/v1"
    tags = ("Generate",)

    @post(status_code=202, responses=ENDED | refusals(*ERRORS), summary="Make a picture from a prompt")
    async def create(
        self,
        request: StrictRequest,
        data: Annotated[ImageParams, Body(examples=EXAMPLES)],
        desk: NamedDependency[Desk],
        wait: Wait = 0.0,
        idempotency_key: IdempotencyKey = None,
    ) -> Response[Accepted | StatusAnswer]:
        """Takes a job in and answers 202 with its id; with `?wait` it answers 200 once the job has ended."""
        return await desk.accept(request, data, wait=wait, idempotency_key=idempotency_key)

    @get("/status/{job_id:str}", responses=refusals(MalformedId, UnknownJob), summary="Status of a picture")
    async def status(
        self,
        job_id: FromPath[str],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        outlooks: NamedDependency[Outlooks],
    ) -> StatusAnswer:
        """The job as it is now; poll until `status` is completed, failed or cancelled."""
        return await outlooks.answer(await find_job(database, caller, job_id, "image"))
