"""OpenAI's routes of chat completions and of responses."""

from collections.abc import Sequence
from typing import Any

from litestar import Controller, Response, Router, post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from litestar.response import Stream

from api.dialects.openai.chat.answers import ChatCompletions
from api.dialects.openai.chat.responses import Responses
from api.dialects.openai.chat.responses_schema import ResponseRequest
from api.dialects.openai.chat.schema import ChatRequest
from api.dialects.openai.routes import BASE
from api.http.auth import needs
from api.http.dependencies import provide
from api.http.query_parameters import IGNORES_QUERY
from api.http.strict_json import StrictRequest
from api.submit.endpoint import IdempotencyKeyHeader
from core.settings import Settings


class ChatRoutes(Controller):
    """The route that answers with what a language model writes."""

    path = "/chat/completions"
    opt = needs("jobs")

    @post(status_code=200)
    async def complete(
        self,
        request: StrictRequest,
        data: JSONBody[ChatRequest],
        chat_completions: NamedDependency[ChatCompletions],
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> Response[Any] | Stream:
        """Continue a chat, and answer with the text, or with its parts as they are written."""
        return await chat_completions.answer(request, data, idempotency_key)


class ResponseRoutes(Controller):
    """The route that answers a text or a chat, in the words of the newer interface."""

    path = "/responses"
    opt = needs("jobs")

    @post(status_code=200)
    async def respond(
        self,
        request: StrictRequest,
        data: JSONBody[ResponseRequest],
        text_responses: NamedDependency[Responses],
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> Response[Any] | Stream:
        """Answer a text or a chat, whole or with events as the answer is written."""
        return await text_responses.answer(request, data, idempotency_key)


def chat_routers(completions: ChatCompletions, responses: Responses, settings: Settings) -> Sequence[Router]:
    """Return the routers, below OpenAI's base path and on the plain path."""
    return [
        Router(
            f"{base}/v1",
            route_handlers=[ChatRoutes, ResponseRoutes],
            dependencies=provide(chat_completions=completions, text_responses=responses),
            opt=IGNORES_QUERY,
            request_max_body_size=settings.media_body_limit,
            include_in_schema=bool(base),
        )
        for base in (BASE, "")
    ]
