"""Parameters of text to speech (contract C33-C40, and the native extras)."""

import unicodedata
from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from jobs.params.base import Params, Seed
from jobs.params.media import MediaKind, Source
from jobs.params.modality import ModalitySpec

SPOKEN_CATEGORIES = "LNS"
"""Of Unicode's general categories: letters, numbers and symbols; not punctuation, invisible or private characters."""
NAMED = "&%@#*/\\§"
"""Punctuation that is read out."""

LONGEST_TEXT = 10_000
"""Characters of a text that is spoken."""
TOKENS_PER_CHARACTER, LEAST_TOKENS, MOST_TOKENS = 4, 256, 4096
Text = Annotated[str, Meta(min_length=1, max_length=LONGEST_TEXT, pattern=r"\S", description="The text to speak.")]


class SpeechParams(Params, frozen=True, kw_only=True, tag_field="modality", tag="speech"):
    """Speech from text; `text` is required. 25 tokens are a second of audio."""

    media: ClassVar[dict[str, MediaKind]] = {"target_voice_path": "audio"}

    text: Text
    output_format: Annotated[
        Literal["wav", "mp3", "ogg", "aac", "flac", "pcm", "webp", "jpeg", "png"],
        Meta(
            description="wav, mp3, ogg (Opus), aac, flac or pcm (16 bit, 24 kHz); image formats give wav and a warning."
        ),
    ] = "wav"
    language_id: Annotated[str, Meta(min_length=2, max_length=20, description="Language code, e.g. en or pt-BR.")] = (
        "en"
    )
    target_voice_path: (
        Annotated[
            Source,
            Meta(description="A reference voice: a URL, a `data:` URL, an `input_id`, or a `voice_id` of /voices/v1."),
        ]
        | None
    ) = None
    max_new_tokens: Annotated[int, Meta(ge=1, le=MOST_TOKENS, description="Upper bound of the audio.")] = LEAST_TOKENS
    exaggeration: Annotated[float, Meta(ge=0, le=1, description="0 neutral, 1 most expressive.")] = 0.5
    temperature: Annotated[float, Meta(ge=0.05, le=2, description="How freely the model chooses.")] = 0.8
    cfg_weight: Annotated[float, Meta(ge=0, le=1, description="Adherence to text and voice; 0 paces calmly.")] = 0.5
    speed: Annotated[float, Meta(ge=0.25, le=4, description="How fast it is spoken; the pitch stays.")] = 1.0
    seed: Seed = -1
    stream: Annotated[
        bool,
        Meta(description="Send the sound while it is made: `/jobs/v1/{job_id}/sound`. It is spoken in shorter parts."),
    ] = False
    apply_watermark: Annotated[bool, Meta(description="Add an inaudible mark that identifies generated audio.")] = True


def tokens_for(text: str) -> int:
    """Return a `max_new_tokens` that does not cut a text off: slow speech has about two tokens for a character."""
    return min(max(LEAST_TOKENS, TOKENS_PER_CHARACTER * len(text)), MOST_TOKENS)


def is_speakable(text: str) -> bool:
    """Return whether a voice finds anything to say in a text: a letter, a digit, a symbol, or a mark with a name."""
    return any(unicodedata.category(character)[0] in SPOKEN_CATEGORIES or character in NAMED for character in text)


SPEECH = ModalitySpec(
    name="speech",
    params=SpeechParams,
    summary="Speak a text",
    note="it is `pending` while its reference voice is fetched.",
    status_summary="Status of a recording",
    examples=(
        ("Only a text", {"text": "Good morning. Your order has left our workshop."}),
        (
            "In German, with a reference voice",
            {
                "text": "Guten Morgen. Ihre Bestellung ist unterwegs.",
                "language_id": "de",
                "target_voice_path": "https://shop.example/voices/anna.wav",
                "max_new_tokens": 512,
                "output_format": "mp3",
            },
        ),
    ),
    word="speech",
    argument="text",
    formats={".wav": "wav", ".mp3": "mp3", ".ogg": "ogg", ".aac": "aac", ".flac": "flac", ".pcm": "pcm"},
    flags={
        "language_id": ("--language",),
        "target_voice_path": ("--voice",),
        "max_new_tokens": ("--max-tokens",),
    },
    streams=True,
)
"""Text to speech (contract C33-C40)."""
