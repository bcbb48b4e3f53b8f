"""POST /generate/speech/v1 and its status."""

from typing import Annotated

from litestar import Controller, Response, post
from litestar.di import NamedDependency
from litestar.openapi.spec import Example
from litestar.params import Body

from api.http.strict_json import StrictRequest
from api.native.generate.factory import SUBMIT_RESPONSES, status_route
from api.submit.endpoint import IdempotencyKeyHeader, SubmitEndpoint, Wait
from jobs.params.speech import SpeechParams
from jobs.wire.jobs import Accepted
from jobs.wire.status import StatusAnswer

EXAMPLES = [
    Example(summary="A text is all it takes", value={"text": "Good morning. Your order has left our workshop."}),
    Example(
        summary="In German, with a voice to sound like",
        value={
            "text": "Guten Morgen. Ihre Bestellung ist unterwegs.",
            "language_id": "de",
            "target_voice_path": "https://shop.example/voices/anna.wav",
            "max_new_tokens": 512,
            "output_format": "mp3",
        },
    ),
]


class SpeechRoutes(Controller):
    """Text to speech (contract C33-C40)."""

    path = "/generate/speech/v1"
    tags = ("Generate",)
    status = status_route("speech", "Status of a recording")

    @post(status_code=202, responses=SUBMIT_RESPONSES, summary="Speak a text")
    async def create(
        self,
        request: StrictRequest,
        data: Annotated[SpeechParams, Body(examples=EXAMPLES)],
        desk: NamedDependency[SubmitEndpoint],
        wait: Wait = 0.0,
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> Response[Accepted | StatusAnswer]:
        """Takes a job in and answers 202 with its id; it is `pending` while its reference voice is fetched."""
        return await desk.accept(request, data, wait=wait, idempotency_key=idempotency_key)
