"""Phonemes as Kokoro reads them, from espeak-ng's or a caller's.

It was trained with those of misaki (https://github.com/hexgrad/misaki): a diphthong and an affricate are one character,
and American English has no marks of length.
"""

import re

from pipelines.speech.espeak_library import TIE, Espeak

# fmt: off
_AMERICAN = {
    "a^ɪ": "I", "a^ʊ": "W", "e^ɪ": "A", "ɔ^ɪ": "Y", "o^ʊ": "O", "ə^ʊ": "O", "t^ʃ": "ʧ", "d^ʒ": "ʤ", "ə^l": "ᵊl",
    "i^ə": "iə", "ɪ^ə": "iə", "ɜː": "ɜɹ", "ɚ": "əɹ", "ɝ": "ɜɹ", "ɾ": "T", "ʔ": "t", "ɐ": "ə", "r": "ɹ", "g": "ɡ",
    "x": "k", "ç": "k", "ɬ": "l", "o": "ɔ", "e": "A",
}
# fmt: on
_BRITISH = _AMERICAN | {"o^ʊ": "Q", "ə^ʊ": "Q", "e^ə": "ɛː", "i^ə": "ɪə", "ɪ^ə": "ɪə", "ɜː": "ɜː", "ɚ": "ə", "ɾ": "ɾ"}
_TIED = re.compile("|".join(sorted(each.replace(TIE, "") for each in _AMERICAN if TIE in each)))
_SYLLABIC = re.compile("(.)\u0329")
"""A consonant that is a syllable of its own, like the last one of *button*; Kokoro has a short vowel before it."""
_MARKS = re.compile(r"[,.;:!?](?=\W|$)|[—…]")
_BEGIN = re.compile(r"[,.;:!?—…]+(?=\s|$)")


def read_text(library: Espeak, text: str, voice: str, *, is_british: bool) -> str:
    """Return the phonemes of a text with its punctuation marks, which the network reads, too."""
    text = text.strip()
    begin = _BEGIN.match(text)
    read = f"{begin.group()} " if begin else ""  # which the library would call by their names
    for clause, phonemes in library.phonemes(text.removeprefix(read.strip()), voice):
        marks = _MARKS.findall(clause[-4:])  # the library looks one letter beyond the mark
        read += f"{_changed(phonemes, is_british=is_british)}{marks[-1] if marks else ''} "
    return read.strip()


def read_phonemes(phonemes: str, *, is_british: bool) -> str:
    """Return phonemes of the IPA as a caller writes them: two letters of a diphthong or an affricate are one sound."""
    plain = phonemes.replace("\u0361", "").replace("/", "").replace("'", "ˈ")
    return _changed(_TIED.sub(lambda found: TIE.join(found.group()), plain), is_british=is_british)


def _changed(phonemes: str, *, is_british: bool) -> str:
    table = _BRITISH if is_british else _AMERICAN
    pattern = "|".join(map(re.escape, sorted(table, key=len, reverse=True)))
    changed = re.sub(pattern, lambda found: table[found.group()], _SYLLABIC.sub(r"ᵊ\1", phonemes))
    return (changed if is_british else changed.replace("ː", "")).replace(TIE, "")
