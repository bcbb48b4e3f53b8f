"""Match of a language code to a language, or a voice, of a loaded model."""

from collections.abc import Collection, Iterable

from core.errors.fields import NotThisModel
from core.languages import find_language, not_spoken
from pipelines.catalog.spec import ModelSpec
from pipelines.speech.espeak_library import LibraryVoice


def voice_for(language_id: str, voices: Iterable[LibraryVoice], spec: ModelSpec) -> LibraryVoice:
    """Return the voice that speaks `language_id`, or the language that it is a variety of. Raises `NotThisModel`."""
    tagged = [(tag, distance, voice) for voice in voices for tag, distance in voice.tags]
    language = language_for(language_id, {tag for tag, _, _ in tagged}, spec)
    near = ((distance, voice) for tag, distance, voice in tagged if tag == language)
    return min(near, key=lambda place: place[0])[1]


def language_for(language_id: str, known: Collection[str], spec: ModelSpec) -> str:
    """Return the language of `known` that `language_id` is, or is a variety of. Raises `NotThisModel`."""
    language = find_language(language_id, known)
    if language is None:
        raise NotThisModel(f"{not_spoken(spec.id, language_id, known)}.", field="$.language_id")
    return language
