"""The bodies of requests for chat completions."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from api.dialects.openai.schema import OpenAIRequest
from jobs.params.base import Seed
from jobs.params.media import Source
from jobs.params.text import LONGEST_PROMPT

MOST_TURNS = 100
"""Of a chat, as of `jobs.params.text.TextParams.messages`."""

Said = Annotated[str, Meta(max_length=LONGEST_PROMPT)]
StopSequence = Annotated[str, Meta(min_length=1, max_length=100)]
Tokens = Annotated[int, Meta(ge=1)]


class TextPart(msgspec.Struct, frozen=True, tag_field="type", tag="text"):
    """Words of a turn."""

    text: Said


class ImageLink(msgspec.Struct, frozen=True):
    """Where a picture is; how large the model sees it is the model's own choice, so `detail` is not read."""

    url: Source


class ImagePart(msgspec.Struct, frozen=True, tag_field="type", tag="image_url"):
    """A picture of a turn."""

    image_url: ImageLink


class ChatTurn(msgspec.Struct, frozen=True, kw_only=True):
    """One turn of a chat; what else clients send of a turn, such as `name`, is not read."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Said | tuple[TextPart | ImagePart, ...] | None = None


class StreamOptions(msgspec.Struct, frozen=True):
    """What a stream has beside the words."""

    include_usage: bool = False


class ChatRequest(OpenAIRequest, frozen=True, kw_only=True):
    """A chat to be continued. `api.dialects.openai.chat.translate` says what is refused and what is ignored."""

    messages: Annotated[tuple[ChatTurn, ...], Meta(min_length=1, max_length=MOST_TURNS)]
    max_tokens: Tokens | None = None
    max_completion_tokens: Tokens | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(gt=0, le=1)] | None = None
    stop: StopSequence | Annotated[tuple[StopSequence, ...], Meta(max_length=4)] | None = None
    seed: Seed | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: int | None = None
    tools: list[Any] | None = None
    functions: list[Any] | None = None
    tool_choice: Any = None
    function_call: Any = None
    parallel_tool_calls: bool | None = None
    response_format: dict[str, Any] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    logit_bias: dict[str, float] | None = None
    modalities: list[str] | None = None
    audio: Any = None
    web_search_options: Any = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    prediction: Any = None
    reasoning_effort: str | None = None
    verbosity: str | None = None
    service_tier: str | None = None
    store: bool | None = None
    metadata: dict[str, Any] | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
