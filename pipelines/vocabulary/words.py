"""Words of a prompt, in whichever of the usual forms of English they stand there.

A vocabulary is what a model makes, by the word for it, with further words for the same.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

Vocabulary = Mapping[str, Sequence[str]]

SHORTEST = 3
"""Letters of the shortest word that another one is a form of: "wing" is none of "we"."""
PLAIN = frozenset(
    (
        *("a", "an", "the", "and", "or", "of", "in", "on", "at", "by", "to", "from", "with", "without", "into", "over"),
        *(
            "under",
            "near",
            "nearby",
            "behind",
            "for",
            "as",
            "is",
            "are",
            "it",
            "its",
            "this",
            "that",
            "some",
            "one",
            "two",
        ),
        *("sound", "sounds", "effect", "effects", "noise", "noises", "recording", "audio"),
        *("music", "song", "tune", "track", "piece"),
    )
)
"""Words that ask for nothing by themselves."""
_ENDINGS = {"ies": ("y",), "es": ("",), "s": ("",), "ing": ("", "e"), "ed": ("", "e"), "y": ("",)}
_WORD = re.compile(r"[^\W\d_]+")
_POSSESSIVE = re.compile(r"['’]s\b")


def named_words(prompt: str, vocabulary: Vocabulary) -> list[str]:
    """Return what a prompt names of a vocabulary: its words, each once, in the order of the prompt."""
    known = _known(vocabulary)
    found = (known[form] for word in _words(prompt) for form in _forms(word) if form in known)
    return list(dict.fromkeys(found))


def without_named(prompt: str, vocabulary: Vocabulary) -> str:
    """Return a prompt without the words that name something of a vocabulary."""
    known = _known(vocabulary)
    return _WORD.sub(lambda word: "" if any(form in known for form in _forms(word[0].lower())) else word[0], prompt)


def unread_words(prompt: str, vocabulary: Vocabulary) -> list[str]:
    """Return the words of a prompt that are not in a vocabulary and ask for something, each once."""
    known = _known(vocabulary)
    words = (word for word in _words(prompt) if word not in PLAIN and known.keys().isdisjoint(_forms(word)))
    return list(dict.fromkeys(words))


def _known(vocabulary: Vocabulary) -> dict[str, str]:
    return {word: name for name, words in vocabulary.items() for word in (name, *words)}


def _words(prompt: str) -> list[str]:
    return _WORD.findall(_POSSESSIVE.sub("", prompt.lower()))


def _forms(word: str) -> Iterator[str]:
    """Yield a word, and those of which it may be a plural, a participle or an adjective."""
    yield word
    for ending, others in _ENDINGS.items():
        stem = word.removesuffix(ending)
        if stem == word or not stem:
            continue
        doubled = [stem[:-1]] if ending in ("ing", "ed") and stem[-1:] == stem[-2:-1] else []  # clapping, zapped
        yield from (form for form in (*(stem + other for other in others), *doubled) if len(form) >= SHORTEST)
