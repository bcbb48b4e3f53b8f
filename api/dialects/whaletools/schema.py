"""The bodies that WhaleTools' clients send, and the answers that they read."""

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from jobs.params.base import Prompt, Seed, Url
from jobs.params.media import MediaKind, Source
from jobs.params.speech import Text
from jobs.params.text import LONGEST_PROMPT, MOST_TOKENS, Name, Variables
from jobs.wire.values import UtcTime

MOST_IMAGES = 50
"""Images of one batch."""

Model = Annotated[str, Meta(min_length=1, max_length=200)]
Size = Annotated[str, Meta(pattern=r"^(auto|[1-9][0-9]{1,4}x[1-9][0-9]{1,4})(?!\n)$")]
Ratio = Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,3}:[1-9][0-9]{0,3}(?!\n)$")]
Resolution = Annotated[str, Meta(pattern=r"^([1-9][0-9]{2,3}p|[248][kK]|[1-9][0-9]{1,4}x[1-9][0-9]{1,4})(?!\n)$")]
ImageQuality = Literal["auto", "low", "standard", "medium", "hd", "high", "fast", "pro", "ultra"]
Words = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"\S")]


class WhaleRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every request for a generation may say."""

    model: Model | None = None
    webhook_url: Url | None = None


class ImageRequest(WhaleRequest, frozen=True, kw_only=True):
    """An image from a prompt."""

    prompt: Prompt
    size: Size | None = None
    quality: ImageQuality = "standard"
    style: Words | None = None
    aspect_ratio: Ratio | None = None
    output_format: Literal["png", "jpeg", "jpg", "webp"] = "png"
    negative_prompt: Annotated[str, Meta(max_length=4000)] | None = None
    seed: Seed = -1


class VideoRequest(WhaleRequest, frozen=True, kw_only=True):
    """A video from a prompt, or from an image."""

    media: ClassVar[dict[str, MediaKind]] = {"image_url": "image"}

    prompt: Prompt
    duration: Annotated[float, Meta(ge=0.1, le=10)] | None = None
    resolution: Resolution | None = None
    aspect_ratio: Ratio | None = None
    image_url: Source | None = None
    output_format: Literal["mp4", "webm"] = "mp4"
    negative_prompt: Annotated[str, Meta(max_length=4000)] | None = None
    seed: Seed = -1


class VoiceRequest(WhaleRequest, frozen=True, kw_only=True):
    """A text that is spoken."""

    text: Text
    voice_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    output_format: Literal["mp3", "wav", "ogg"] = "mp3"
    language: Annotated[str, Meta(min_length=2, max_length=20)] = "en"
    seed: Seed = -1


class BackgroundRequest(WhaleRequest, frozen=True, kw_only=True):
    """An image, or up to fifty, whose background is removed."""

    media: ClassVar[dict[str, MediaKind]] = {"image_url": "image", "image_urls": "image"}

    image_url: Source | None = None
    image_urls: Annotated[tuple[Source, ...], Meta(min_length=1, max_length=MOST_IMAGES)] | None = None
    output_format: Literal["png", "webp"] = "png"
    semitransparency: bool = False
    """Our own: hair, glass and the like let what is behind them through."""


class CompletionRequest(WhaleRequest, frozen=True, kw_only=True):
    """A text from a prompt, or from a template of the service; with `stream` its parts come as they are written."""

    prompt: Annotated[str, Meta(min_length=1, max_length=LONGEST_PROMPT, pattern=r"\S")] | None = None
    template: Name | None = None
    variables: Variables = msgspec.field(default_factory=dict)
    max_tokens: Annotated[int, Meta(ge=1, le=MOST_TOKENS)] = 512
    temperature: Annotated[float, Meta(ge=0, le=2)] = 0.7
    stream: bool = False
    output_format: Literal["txt", "md"] = "txt"
    seed: Seed = -1


class CloneRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A voice that is stored, from a recording of it."""

    media: ClassVar[dict[str, MediaKind]] = {"audio_url": "audio"}

    name: Annotated[str, Meta(min_length=1, max_length=100, pattern=r"\S")]
    audio_url: Source
    description: Annotated[str, Meta(max_length=1000)] | None = None


class VoiceItem(msgspec.Struct, frozen=True, kw_only=True):
    """A voice of the list."""

    id: str
    name: str
    preview_url: str | None
    model: str | None = None
    created_at: UtcTime | None = None
