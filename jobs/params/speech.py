"""Parameters of text to speech (contract C33-C40, and the native extras)."""

import unicodedata
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import msgspec
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
MOST_REPLACEMENTS = 50
FIRST_PHONEMES = 0xE000
"""The first of the private characters that stand for phonemes; no text has a use for them."""
TOKENS_PER_CHARACTER, LEAST_TOKENS, MOST_TOKENS = 4, 256, 4096
Text = Annotated[str, Meta(min_length=1, max_length=LONGEST_TEXT, pattern=r"\S", description="The text to speak.")]


class Pronunciation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a word is spoken."""

    word: Annotated[
        str,
        Meta(
            min_length=1, max_length=100, pattern=r"\S", description="A whole word or several, in any case of letters."
        ),
    ]
    say: (
        Annotated[
            str,
            Meta(
                min_length=1, max_length=200, pattern=r"\S", description="What is spoken instead, spelled as it sounds."
            ),
        ]
        | None
    ) = None
    phonemes: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=200,
                pattern=r"\S",
                description="What is spoken instead, in the IPA; for models with the capability `phonemes`.",
            ),
        ]
        | None
    ) = None


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
    voice: (
        Annotated[
            str,
            Meta(
                pattern=r"^[a-z0-9][a-z0-9_-]{0,59}(?!\n)$", description="A voice of the model's own, of `/voices/v1`."
            ),
        ]
        | None
    ) = None
    max_new_tokens: Annotated[int, Meta(ge=1, le=MOST_TOKENS, description="Upper bound of the audio.")] = LEAST_TOKENS
    exaggeration: Annotated[float, Meta(ge=0, le=1, description="0 neutral, 1 most expressive.")] = 0.5
    temperature: Annotated[float, Meta(ge=0.05, le=2, description="How freely the model chooses.")] = 0.8
    cfg_weight: Annotated[float, Meta(ge=0, le=1, description="Adherence to text and voice; 0 paces calmly.")] = 0.5
    replacements: Annotated[
        tuple[Pronunciation, ...],
        Meta(
            max_length=MOST_REPLACEMENTS,
            description="Words that are pronounced in another way, as names and abbreviations are.",
        ),
    ] = ()
    speed: Annotated[float, Meta(ge=0.25, le=4, description="How fast it is spoken; the pitch stays.")] = 1.0
    loudness: (
        Annotated[
            float,
            Meta(
                ge=-36, le=-10, description="How loud it is, in LUFS, with true peaks below -1 dB; null: as it is made."
            ),
        ]
        | None
    ) = -18.0
    seed: Seed = -1
    stream: Annotated[
        bool,
        Meta(description="Send the sound while it is made: `/jobs/v1/{job_id}/sound`. It is spoken in shorter parts."),
    ] = False
    apply_watermark: Annotated[bool, Meta(description="Add an inaudible mark that identifies generated audio.")] = True

    @property
    def spelled(self) -> str:
        """The text with its `replacements`; characters from `FIRST_PHONEMES` on stand for phonemes, by their place."""
        return replace_words(self.text, self.replacements)


def replace_words(text: str, replacements: Sequence[Pronunciation]) -> str:
    """Return the text with each word replaced, once: what is put in its place is not looked at again.

    A word is whole where no letter, digit or mark of another one touches it; characters of Chinese, Japanese and Korean
    are words of their own. Of words that begin at the same place the longest counts.
    """
    instead = {_spaced(each.word).lower(): _spelled(number, each) for number, each in enumerate(replacements)}
    if not instead:
        return text
    lengths = sorted({len(_spaced(each.word)) for each in replacements}, reverse=True)
    firsts = {word[0] for word in instead}
    spaced, made, place = _spaced(text), [], 0
    while place < len(spaced):
        found = ""
        if spaced[place].lower()[0] in firsts and _is_between(spaced, place):
            near = (spaced[place : place + length] for length in lengths)
            found = next((w for w in near if w.lower() in instead and _is_between(spaced, place + len(w))), "")
        made.append(instead[found.lower()] if found else spaced[place])
        place += len(found) or 1
    return "".join(made)


def has_phonemes(text: str) -> bool:
    """Return whether a text of `SpeechParams.spelled` has phonemes in it."""
    return any(FIRST_PHONEMES <= ord(letter) < FIRST_PHONEMES + MOST_REPLACEMENTS for letter in text)


def _spelled(number: int, replacement: Pronunciation) -> str:
    return replacement.say or chr(FIRST_PHONEMES + number)


def _spaced(text: str) -> str:
    """Return the text with single spaces, and with letters and their accents as one, where there is one."""
    plain = "".join(" " if has_phonemes(letter) else letter for letter in unicodedata.normalize("NFC", text))
    return " ".join(plain.split())


def _is_between(text: str, place: int) -> bool:
    """Return whether a word may begin or end before this place."""
    return not 0 < place < len(text) or not all(map(_is_in_word, text[place - 1 : place + 1]))


def _is_in_word(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMN" and unicodedata.east_asian_width(character) != "W"


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
        "voice": ("--own-voice",),
        "max_new_tokens": ("--max-tokens",),
        "replacements": ("--replace",),
    },
    streams=True,
)
"""Text to speech (contract C33-C40)."""
