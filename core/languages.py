"""Language codes: which of a model's languages a caller's code means, for the API and the pipelines alike."""

from collections.abc import Collection, Iterator

ALIASES = {"zh-hk": "yue", "zh-mo": "yue", "iw": "he", "in": "id", "ji": "yi", "sh": "hbs"}
"""Codes and the languages that they mean: the Chinese of Hong Kong is Cantonese, and IANA's retired codes."""

BROAD = {"nb": "no", "nn": "no", "cmn": "zh"}
"""Codes and the broader ones under which a model with few languages lists them."""

MAX_LISTED = 30
"""How many languages a message lists at most."""


def find_language(language_id: str, known: Collection[str]) -> str | None:
    """Return the code among `known` (lower case, hyphens) that `language_id` is or is a variety of; else None."""
    for code in _candidates(language_id):
        for name in (code, BROAD.get(code, code)):
            if name in known:
                return name
    return None


def not_spoken(model: str, language_id: str, known: Collection[str]) -> str:
    """Return the message for a language that the model does not have; a sentence without its full stop."""
    *others, last = sorted(known)
    if len(known) > MAX_LISTED:
        advice = "choose one of its languages in GET /models/v1"
    elif others:
        advice = f"ask for {', '.join(others)} or {last}"
    else:
        advice = f"ask for {last}"
    return f"{model} does not speak {language_id!r}: {advice}"


def _candidates(language_id: str) -> Iterator[str]:
    """Yield the code in lower case with hyphens, then ever shorter ones, as RFC 4647 (3.4): `de-at`, `de`."""
    code = language_id.strip().lower().replace("_", "-")
    while code:
        yield ALIASES.get(code, code)
        code = code.rpartition("-")[0]
