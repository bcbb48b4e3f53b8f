"""Chats of OpenAI's clients as parameters of texts."""

from collections.abc import Iterator
from typing import Any

from api.dialects.openai.chat.schema import ChatRequest, ChatTurn, ImagePart, TextPart
from api.dialects.openai.requests import JobsOfRequest
from core.errors.fields import MissingField, NotSupportedYet, OutOfRange
from jobs.params.text import MOST_IMAGES, MOST_TOKENS, ChatMessage, TextParams

USUAL_TOKENS = 1024
"""Of an answer whose request does not say how long it may be."""
REFUSED = {
    "tools": "models here answer in words alone",
    "functions": "models here answer in words alone",
    "logprobs": "the answer has no probabilities",
    "logit_bias": "tokens cannot be weighted",
    "audio": "the answer is words alone; POST /audio/speech speaks them",
    "web_search_options": "nothing is looked up",
}
"""Fields without which an answer would be another one: a value is refused, unless it is empty or false."""
IGNORED = (
    *("frequency_penalty", "presence_penalty", "prediction", "reasoning_effort", "verbosity", "service_tier", "store"),
    *("metadata", "top_logprobs"),
)
"""Fields that change nothing here; a header of the answer says so. Marks of caches are ignored without a word."""


def chat_jobs(asked: ChatRequest, model: str | None) -> JobsOfRequest:
    """Return the job of a chat. Raises `NotSupportedYet`, `OutOfRange`, and `MissingField` for a chat without words."""
    _refuse(asked)
    limit = asked.max_completion_tokens or asked.max_tokens or USUAL_TOKENS
    warnings = [f"{name} is ignored" for name in IGNORED if getattr(asked, name)]
    if limit > MOST_TOKENS:
        warnings.append(f"a text has {MOST_TOKENS} tokens at most")
    given: dict[str, Any] = {"temperature": asked.temperature, "top_p": asked.top_p, "seed": asked.seed}
    images = list[str]()
    messages = tuple(_messages(asked.messages, images))
    params = TextParams(
        model=model,
        messages=messages,
        images=tuple(images),
        max_tokens=min(limit, MOST_TOKENS),
        stop=(asked.stop,) if isinstance(asked.stop, str) else asked.stop or (),
        **{name: value for name, value in given.items() if value is not None},
    )
    if len(images) > MOST_IMAGES:
        raise OutOfRange(f"`messages` must have at most {MOST_IMAGES} pictures.", field="$.messages")
    if not params.messages:
        raise MissingField("`messages` has no words; write some in the last one.", field="$.messages")
    return JobsOfRequest([params], asked.model, warnings=tuple(warnings))


def _messages(turns: tuple[ChatTurn, ...], images: list[str]) -> Iterator[ChatMessage]:
    """Yield the turns that say or show something, and add what they show to `images`; a developer's are the system's.

    Pictures come before the words of their turn.
    """
    for place, turn in enumerate(turns):
        parts = (TextPart(turn.content),) if isinstance(turn.content, str) else turn.content or ()
        words = "\n\n".join(part.text for part in parts if isinstance(part, TextPart))
        shown = [part.image_url.url for part in parts if isinstance(part, ImagePart)]
        if shown and not words.strip():
            raise MissingField("A picture needs words beside it; add a part of text.", field=f"$.messages[{place}]")
        if words.strip():
            named = tuple(range(len(images), len(images) + len(shown)))
            images += shown
            yield ChatMessage(role="system" if turn.role == "developer" else turn.role, content=words, images=named)


def _refuse(asked: ChatRequest) -> None:
    for name, reason in REFUSED.items():
        if getattr(asked, name):
            raise NotSupportedYet(f"`{name}` is not supported yet: {reason}; leave it out.", field=f"$.{name}")
    if asked.n not in (None, 1):
        raise NotSupportedYet("`n` must be 1: a request has one answer; send it again for another.", field="$.n")
    if set(asked.modalities or ()) - {"text"}:
        raise NotSupportedYet("`modalities` must be text alone; leave it out.", field="$.modalities")
    if (asked.response_format or {}).get("type", "text") != "text":
        raise NotSupportedYet(
            "`response_format` must be text: no grammar is enforced yet; ask for JSON in words, and check it.",
            field="$.response_format",
        )
