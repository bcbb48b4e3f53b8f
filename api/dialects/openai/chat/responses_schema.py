"""The bodies of requests for responses: a text to continue, or a chat, in the words of OpenAI's newer route."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from api.dialects.openai.chat.schema import MOST_TURNS, Said, Tokens
from api.dialects.openai.schema import OpenAIRequest
from jobs.params.media import Source
from jobs.params.text import LONGEST_PROMPT


class InputText(msgspec.Struct, frozen=True, tag_field="type", tag="input_text"):
    """Words of a caller."""

    text: Said


class OutputText(msgspec.Struct, frozen=True, tag_field="type", tag="output_text"):
    """Words of an earlier answer."""

    text: Said


class InputImage(msgspec.Struct, frozen=True, tag_field="type", tag="input_image"):
    """A picture; how large the model sees it is the model's own choice, so `detail` is not read."""

    image_url: Source


class InputMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One turn of a chat; what else clients send of an earlier answer, such as its `id`, is not read."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Said | tuple[InputText | OutputText | InputImage, ...]
    type: Literal["message"] = "message"


class ResponseRequest(OpenAIRequest, frozen=True, kw_only=True):
    """A text or a chat to be answered. `api.dialects.openai.chat.responses` says what is refused and what ignored."""

    input: (
        Annotated[str, Meta(min_length=1, max_length=LONGEST_PROMPT)]
        | Annotated[tuple[InputMessage, ...], Meta(min_length=1, max_length=MOST_TURNS)]
    )
    instructions: Said | None = None
    max_output_tokens: Tokens | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(gt=0, le=1)] | None = None
    stream: bool | None = None
    stream_options: dict[str, Any] | None = None
    metadata: dict[str, str] | None = None
    background: bool | None = None
    conversation: Any = None
    previous_response_id: str | None = None
    prompt: Any = None
    tools: list[Any] | None = None
    tool_choice: Any = None
    parallel_tool_calls: bool | None = None
    max_tool_calls: int | None = None
    include: list[str] | None = None
    text: dict[str, Any] | None = None
    reasoning: dict[str, Any] | None = None
    top_logprobs: int | None = None
    truncation: str | None = None
    service_tier: str | None = None
    store: bool | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
