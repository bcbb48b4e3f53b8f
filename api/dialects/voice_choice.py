"""What the voice of another service's request means: a stored recording, the voice of a model, or the default one."""

import msgspec

from api.operations.voice_directory import BUILTIN, builtin_voice
from core.errors.fields import InvalidRequest
from core.errors.inputs import UnknownInput
from core.ids import is_id
from pipelines.catalog.aliases import Aliases
from pipelines.catalog.loader import Catalog

PREFIX = "voice_"


class ChosenVoice(msgspec.Struct, frozen=True):
    """The voice of a request: the id of a stored one, or the model whose own it is, or neither for the default.

    `voice` is which of a model's own.
    """

    stored: str | None = None
    model: str | None = None
    voice: str | None = None


def choose_voice(
    voice_id: str | None, model: str | None, aliases: Aliases, catalog: Catalog, *, field: str = "voice_id"
) -> ChosenVoice:
    """Return the voice that an id, which came in `field`, means for a request of this model.

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
    found = builtin_voice(name.removeprefix(BUILTIN).removeprefix(PREFIX), catalog)
    if found is None:
        raise UnknownInput("No voice has this id; GET /voices/v1 lists yours.", field=f"$.{field}")
    owner, own = found[0].id, found[1]
    if model not in (None, owner):
        raise InvalidRequest(
            f"`{field}` is the voice of {owner}, which {model} cannot speak with; leave one of the two out.",
            field=f"$.{field}",
        )
    return ChosenVoice(model=owner, voice=own)


def stored_id(shown: str) -> str:
    """Return the native id of a stored voice that is shown under this one."""
    return f"voi_{shown.removeprefix(PREFIX)}" if shown.startswith(PREFIX) else shown


def shown_id(voice_id: str) -> str:
    """Return the id under which dialects show a voice."""
    return PREFIX + voice_id.removeprefix(BUILTIN).removeprefix("voi_")
