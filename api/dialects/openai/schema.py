"""The bodies that OpenAI's clients send. A text of a form is read as the type of its field."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from jobs.params.base import Prompt, Seed
from jobs.params.text import LONGEST_PROMPT, MOST_VECTORS

MOST_IMAGES = 10
"""Images of one request."""

ModelName = Annotated[str, Meta(min_length=1, max_length=200)]
ImageSize = Annotated[str, Meta(pattern=r"^(auto|[1-9][0-9]{1,4}x[1-9][0-9]{1,4})(?!\n)$")]
ImageQuality = Literal["low", "medium", "high", "xhigh", "max", "auto", "standard", "hd"]
Count = Annotated[int, Meta(ge=1, le=MOST_IMAGES)]
Note = Annotated[str, Meta(max_length=1000)]


class OpenAIRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every request may say; `user` and `safety_identifier` are the caller's own marks and are not kept."""

    model: ModelName | None = None
    user: Note | None = None
    safety_identifier: Note | None = None


class ImageOptions(OpenAIRequest, frozen=True, kw_only=True):
    """What every request for images may say; `seed`, `negative_prompt` and `enhance_prompt` are this service's own."""

    n: Count | None = None
    size: ImageSize | None = None
    quality: ImageQuality | None = None
    style: Literal["vivid", "natural"] | None = None
    response_format: Literal["url", "b64_json"] | None = None
    output_format: Literal["png", "webp", "jpeg"] | None = None
    output_compression: Annotated[int, Meta(ge=0, le=100)] | None = None
    background: Literal["transparent", "opaque", "auto"] | None = None
    moderation: Note | None = None
    stream: bool | None = None
    partial_images: Annotated[int, Meta(ge=0, le=3)] | None = None
    seed: Seed = -1
    negative_prompt: Annotated[str, Meta(max_length=4000)] | None = None
    enhance_prompt: bool = False


class GenerationRequest(ImageOptions, frozen=True, kw_only=True):
    """Images from a prompt."""

    prompt: Prompt


class EditRequest(ImageOptions, frozen=True, kw_only=True):
    """Images from a prompt and the pictures of the form."""

    prompt: Prompt
    input_fidelity: Literal["low", "high"] | None = None


class VariationRequest(ImageOptions, frozen=True, kw_only=True):
    """Images like the picture of the form."""


class VoiceId(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A stored voice."""

    id: Annotated[str, Meta(min_length=1, max_length=200)]


class SpeechRequest(OpenAIRequest, frozen=True, kw_only=True):
    """A text that is spoken; `language` and `seed` are this service's own."""

    input: Annotated[str, Meta(min_length=1, max_length=4096, pattern=r"\S")]
    voice: Annotated[str, Meta(min_length=1, max_length=200)] | VoiceId | None = None
    instructions: Annotated[str, Meta(max_length=4096)] | None = None
    response_format: Literal["mp3", "opus", "aac", "flac", "wav", "pcm"] = "mp3"
    speed: Annotated[float, Meta(ge=0.25, le=4)] = 1.0
    stream_format: Literal["audio", "sse"] = "audio"
    language: Annotated[str, Meta(min_length=2, max_length=20)] = "en"
    seed: Seed = -1


class TranscriptionRequest(OpenAIRequest, frozen=True, kw_only=True):
    """What is said of a recording that is written down; the recording is a file of the form. `seed` is our own."""

    language: Annotated[str, Meta(min_length=2, max_length=20)] | None = None
    prompt: Annotated[str, Meta(min_length=1, max_length=1000, pattern=r"\S")] | None = None
    response_format: Literal["json", "text", "srt", "verbose_json", "vtt"] = "json"
    temperature: Annotated[float, Meta(ge=0, le=1)] = 0.0
    stream: bool = False
    chunking_strategy: Note | None = None
    seed: Seed = -1


class EmbeddingsRequest(OpenAIRequest, frozen=True, kw_only=True):
    """Texts of which vectors are made."""

    input: (
        Annotated[str, Meta(min_length=1, max_length=LONGEST_PROMPT)]
        | Annotated[
            tuple[Annotated[str, Meta(min_length=1, max_length=LONGEST_PROMPT)], ...],
            Meta(min_length=1, max_length=MOST_VECTORS),
        ]
    )
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Annotated[int, Meta(ge=1)] | None = None


class OpenAINewVoice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A voice that is stored; the recording of it is a file of the form. `consent` names one of the caller's own."""

    name: Annotated[str, Meta(min_length=1, max_length=100, pattern=r"\S")]
    type: Literal["audio_sample"] = "audio_sample"
    consent: Note | None = None
    model: ModelName | None = None


class OpenAIVideoRequest(OpenAIRequest, frozen=True, kw_only=True):
    """A video from a prompt, or from a picture as well; `seed` and `negative_prompt` are this service's own."""

    prompt: Prompt
    seconds: Annotated[str, Meta(pattern=r"^[0-9]{1,3}(\.[0-9]{1,3})?(?!\n)$")] = "4"
    size: Annotated[str, Meta(pattern=r"^[1-9][0-9]{1,4}x[1-9][0-9]{1,4}(?!\n)$")] | None = None
    seed: Seed = -1
    negative_prompt: Annotated[str, Meta(max_length=4000)] | None = None
