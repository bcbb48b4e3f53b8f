"""From the language code that a caller writes to one that a model has. The API and the pipelines look up alike."""

from collections.abc import Collection, Iterator

ALIASES = {"zh-hk": "yue", "zh-mo": "yue", "iw": "he", "in": "id", "ji": "yi", "sh": "hbs"}
"""Codes that mean a language of another name: the Chinese of Hong Kong is Cantonese, and IANA's retired codes."""

BROAD = {"nb": "no", "nn": "no", "cmn": "zh"}
"""Codes of languages that a model with few of them knows by a broader one."""

NAMED = 30
"""So many languages at most are told one by one."""


def find_language(language_id: str, known: Collection[str]) -> str | None:
    """The code among `known` (lower case, with hyphens) that `language_id` is, or is a variety of, if there is one."""
    for code in _candidates(language_id):
        for name in (code, BROAD.get(code, code)):
            if name in known:
                return name
    return None


def not_spoken(model: str, language_id: str, known: Collection[str]) -> str:
    """What to tell a caller whose language the model does not speak; a sentence without its stop."""
    *others, last = sorted(known)
    if len(known) > NAMED:
        advice = "choose one of its languages in GET /models/v1"
    elif others:
        advice = f"ask for {', '.join(others)} or {last}"
    else:
        advice = f"ask for {last}"
    return f"{model} does not speak {language_id!r}: {advice}"


def _candidates(language_id: str) -> Iterator[str]:
    """The code in lower case with hyphens, then ever shorter ones, as RFC 4647 (3.4) looks up: `de-at`, `de`."""
    code = language_id.strip().lower().replace("_", "-")
    while code:
        yield ALIASES.get(code, code)
        code = code.rpartition("-")[0]
