"""OpenAI's routes of images: from a prompt, from pictures, like a picture."""

from typing import Any

from litestar import Controller, Response, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from api.dialects.openai.image_answers import OpenAIImages
from api.dialects.openai.schema import EditRequest, GenerationRequest, VariationRequest
from api.http.auth import needs
from api.http.strict_json import StrictRequest
from api.submit.endpoint import IdempotencyKeyHeader


class OpenAIImageRoutes(Controller):
    """Routes that answer with images."""

    path = "/images"
    opt = needs("jobs")

    @post("/generations", status_code=200)
    async def generate(
        self,
        request: StrictRequest,
        data: JSONBody[GenerationRequest],
        openai_images: NamedDependency[OpenAIImages],
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> Response[Any]:
        """Make images from a prompt."""
        return await openai_images.generate(request, data, idempotency_key)

    @post("/edits", status_code=200, request_max_body_size=None)
    async def edit(
        self,
        request: StrictRequest,
        openai_images: NamedDependency[OpenAIImages],
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> Response[Any]:
        """Make images from a prompt and the pictures of a form."""
        return await openai_images.from_pictures(request, EditRequest, idempotency_key)

    @post("/variations", status_code=200, request_max_body_size=None)
    async def vary(
        self,
        request: StrictRequest,
        openai_images: NamedDependency[OpenAIImages],
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> Response[Any]:
        """Make images like the picture of a form."""
        return await openai_images.from_pictures(request, VariationRequest, idempotency_key)
