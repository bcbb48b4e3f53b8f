"""OpenAI's route of chat completions."""

from collections.abc import Sequence
from typing import Any

from litestar import Controller, Response, Router, post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from litestar.response import Stream

from api.dialects.openai.chat.answers import ChatCompletions
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


def chat_routers(completions: ChatCompletions, settings: Settings) -> Sequence[Router]:
    """Return the routers, below OpenAI's base path and on the plain path."""
    return [
        Router(
            f"{base}/v1",
            route_handlers=[ChatRoutes],
            dependencies=provide(chat_completions=completions),
            opt=IGNORES_QUERY,
            request_max_body_size=settings.media_body_limit,
            include_in_schema=bool(base),
        )
        for base in (BASE, "")
    ]
