"""From a language code to one of the languages, or voices, that a model has."""

from collections.abc import Collection, Iterable, Iterator

from jobs.errors import NotThisModel
from pipelines.spec import ModelSpec
from pipelines.speech.espeak_library import Voice

ALIASES = {"zh-hk": "yue", "zh-mo": "yue", "iw": "he", "in": "id", "ji": "yi", "sh": "hbs"}
"""Codes that mean a language of another name: the Chinese of Hong Kong is Cantonese, and IANA's retired codes."""


_BROAD = {"nb": "no", "nn": "no", "cmn": "zh"}
"""Codes of languages that a model with few of them knows by a broader one."""


def candidates(language_id: str) -> Iterator[str]:
    """The code in lower case with hyphens, then ever shorter ones, as RFC 4647 looks up: `de-at`, `de`."""
    code = language_id.strip().lower().replace("_", "-")
    while code:
        yield ALIASES.get(code, code)
        code = code.rpartition("-")[0]


def voice_for(language_id: str, voices: Iterable[Voice], spec: ModelSpec) -> Voice:
    """The voice that speaks `language_id`, or the language that it is a variety of. Raises `NotThisModel`."""
    known = list(voices)
    for code in candidates(language_id):
        near = [(distance, number) for number, voice in enumerate(known) for tag, distance in voice.tags if tag == code]
        if near:
            return known[min(near)[1]]
    raise unknown_language(language_id, spec, {tag.partition("-")[0] for voice in known for tag, _ in voice.tags})


def language_for(language_id: str, known: Collection[str], spec: ModelSpec) -> str:
    """The language among `known` that `language_id` is, or is a variety of. Raises `NotThisModel`."""
    for code in candidates(language_id):
        for name in (code, _BROAD.get(code, code)):
            if name in known:
                return name
    raise unknown_language(language_id, spec, known)


def unknown_language(language_id: str, spec: ModelSpec, known: Iterable[str]) -> NotThisModel:
    """The refusal that names the language, and those that there are."""
    return NotThisModel(
        f"{spec.id} does not speak {language_id!r}; it speaks {', '.join(sorted(known))}.", field="$.language_id"
    )
