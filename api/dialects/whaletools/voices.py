"""Voices under the ids of the dialect, and what a voice of a request means."""

import msgspec

from api.dialects.whaletools.schema import VoiceItem
from api.operations.voice_directory import BUILTIN
from core.errors.fields import InvalidRequest
from core.errors.inputs import UnknownInput
from core.ids import is_id
from jobs.wire.voices import VoiceAnswer
from pipelines.catalog.aliases import Aliases
from pipelines.catalog.loader import Catalog

PREFIX = "voice_"
UNKNOWN_VOICE = "No voice has this id; GET /v1/voices lists yours."


class ChosenVoice(msgspec.Struct, frozen=True):
    """The voice of a request: the id of a stored one, or the model whose own it is, or neither for the default."""

    stored: str | None = None
    model: str | None = None


def choose_voice(voice_id: str | None, model: str | None, aliases: Aliases, catalog: Catalog) -> ChosenVoice:
    """Return the voice that an id means for a request of this model.

    Raises `UnknownInput`, and `InvalidRequest` for the built-in voice of another model.
    """
    if voice_id is None:
        return ChosenVoice()
    name = voice_id
    if name in aliases.voices:
        meaning = aliases.voices[name]
        if meaning is None:
            return ChosenVoice()
        name = meaning
    stored = stored_id(name)
    if is_id("voi", stored):
        return ChosenVoice(stored=stored)
    owner = name.removeprefix(BUILTIN).removeprefix(PREFIX)
    if not any(spec.id == owner and spec.voice is not None for spec in catalog.of("speech")):
        raise UnknownInput(UNKNOWN_VOICE, field="$.voice_id")
    if model not in (None, owner):
        raise InvalidRequest(
            f"`voice_id` is the voice of {owner}, which {model} cannot speak with; leave one of the two out.",
            field="$.voice_id",
        )
    return ChosenVoice(model=owner)


def stored_id(shown: str) -> str:
    """Return the native id of a stored voice that is shown under this one."""
    return f"voi_{shown.removeprefix(PREFIX)}" if shown.startswith(PREFIX) else shown


def shown_id(voice_id: str) -> str:
    """Return the id under which the dialect shows a voice."""
    return PREFIX + voice_id.removeprefix(BUILTIN).removeprefix("voi_")


def voice_item(voice: VoiceAnswer) -> VoiceItem:
    """Return a voice as the dialect lists it."""
    return VoiceItem(
        id=shown_id(voice.voice_id),
        name=voice.name,
        preview_url=voice.preview_url,
        model=voice.model,
        created_at=voice.created_at,
    )
