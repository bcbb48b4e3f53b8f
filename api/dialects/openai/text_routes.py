"""OpenAI's other routes of texts: their vectors; what is not built says of every model that it does not exist."""

import base64
import struct
from typing import Annotated, Any

import msgspec
from litestar import Response, post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from msgspec import Meta

from api.dialects.openai.requests import JobsOfRequest, OpenAIRequests
from api.dialects.openai.results import headers_of, no_result
from api.dialects.openai.schema import EmbeddingsRequest
from api.http.auth import needs
from api.http.strict_json import StrictRequest
from api.submit.endpoint import IdempotencyKeyHeader
from core.errors.fields import NotThisModel, UnknownModel
from jobs.params.text import EmbeddingParams
from jobs.wire.dialects.openai import NAME
from pipelines.catalog.aliases import Aliases
from pipelines.catalog.loader import Catalog

NO_TEXT = (
    "The model {name!r} does not exist for this route: texts are written at POST /chat/completions, POST /responses "
    "and POST /generate/text/v1."
)


class TextRequest(msgspec.Struct, frozen=True):
    """What is read of a request for text."""

    model: Annotated[str, Meta(max_length=200)] = "auto"


@post("/completions", opt=needs("jobs"), include_in_schema=False)
async def refuse_text(data: JSONBody[TextRequest]) -> None:
    """Refuse a request for text. Raises `UnknownModel`."""
    raise UnknownModel(NO_TEXT.format(name=data.model), field="$.model")


class _Vectors(msgspec.Struct, frozen=True):
    """The file of a job of vectors."""

    vectors: list[list[float]]


@post("/embeddings", status_code=200, opt=needs("jobs"))
async def embed(
    request: StrictRequest,
    data: JSONBody[EmbeddingsRequest],
    openai_requests: NamedDependency[OpenAIRequests],
    catalog: NamedDependency[Catalog],
    aliases: NamedDependency[Aliases],
    idempotency_key: IdempotencyKeyHeader = None,
) -> Response[Any]:
    """Make a vector of each text."""
    if data.dimensions is not None:
        advice = "A vector has as many numbers as its model makes; leave `dimensions` out."
        raise NotThisModel(advice, field="$.dimensions")

    async def read() -> JobsOfRequest:
        texts = (data.input,) if isinstance(data.input, str) else data.input
        model = aliases.model(catalog, "embedding", data.model, NAME)
        return JobsOfRequest([EmbeddingParams(texts=texts, model=model)], data.model)

    ended = await openai_requests.wait(request, await openai_requests.submit(request, read, idempotency_key))
    refused = no_result(ended)
    if refused is not None:
        return refused
    made = msgspec.json.decode(await openai_requests.read_output(ended[0]), type=_Vectors)
    tokens = ended[0].artifacts[0].metadata.get("input_tokens", 0)
    body = {
        "object": "list",
        "data": [
            {"object": "embedding", "index": number, "embedding": _written(vector, data.encoding_format)}
            for number, vector in enumerate(made.vectors)
        ],
        "model": data.model or ended[0].model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }
    return Response(body, headers=headers_of(ended))


def _written(vector: list[float], encoding: str) -> list[float] | str:
    """Return a vector as numbers, or as base64 of float32, little-endian, for which its clients ask by themselves."""
    if encoding == "float":
        return vector
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
