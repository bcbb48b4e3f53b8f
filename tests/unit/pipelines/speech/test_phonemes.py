"""Phonemes of espeak-ng and of callers as Kokoro reads them."""

import pytest

from pipelines.speech.espeak_library import Espeak
from pipelines.speech.phonemes import read_phonemes, read_text


def read(text: str, *, is_british: bool = False) -> str:
    with Espeak() as library:
        return read_text(library, text, "gmw/en" if is_british else "gmw/en-US", is_british=is_british)


@pytest.mark.parametrize(
    ("text", "american", "british"),
    [
        ("I go out by boat.", "I ɡˌO ˈWt bI bˈOt.", "I ɡˌQ ˈWt bI bˈQt."),
        ("judge, church!", "ʤˈʌʤ, ʧˈɜɹʧ!", "ʤˈʌʤ, ʧˈɜːʧ!"),
        ("bottle", "bˈɑTᵊl", "bˈɒtᵊl"),
        ("Is it late?", "ɪz ɪt lˈAt?", "ɪz ɪt lˈAt?"),
        ("Hello — world…", "həlˈO— wˈɜɹld…", "həlˈQ— wˈɜːld…"),
    ],
)
def test_a_text_is_read_with_its_marks(text: str, american: str, british: str) -> None:
    assert (american, british) == (read(text), read(text, is_british=True))


def test_each_clause_keeps_its_mark() -> None:
    assert "nˈO! wˈAt; jˈɛs: ɡˈʊd, lˈAT" in read("No! Wait; yes: good, later.")


@pytest.mark.parametrize(
    ("given", "american"),
    [("ˈlɛmstər", "ˈlɛmstəɹ"), ("/ˈtʃoʊk/", "ˈʧOk"), ("ˈt͡ʃiːz", "ˈʧiz"), ("'ɡeɪm", "ˈɡAm"), ("ˈbʌtn̩", "ˈbʌtᵊn")],
)
def test_a_caller_writes_the_ipa(given: str, american: str) -> None:
    assert american == read_phonemes(given, is_british=False)


def test_affricates_of_two_words_stay_two_sounds() -> None:
    assert "tʃ" in read("a nutshell")


@pytest.mark.parametrize(("text", "read_as"), [("!", "!"), (", go.", ", ɡˈO."), ("at 3.5", "æt θɹˈi pYnt fˈIv")])
def test_marks_after_a_word_of_phonemes_are_not_named(text: str, read_as: str) -> None:
    assert read_as == read(text)


def test_an_unknown_language_does_not_speak_in_the_last_one() -> None:
    with Espeak() as library, pytest.raises(Exception, match="no voice"):
        list(library.phonemes("Hello", "gmw/xx"))
