"""Words that are pronounced in another way."""

import pytest

from jobs.params.speech import FIRST_PHONEMES, Pronunciation, SpeechParams, has_phonemes, replace_words


def spelled(text: str, **words: str) -> str:
    replacements = tuple(Pronunciation(word=word.replace("_", " "), say=say) for word, say in words.items())
    return SpeechParams(text=text, replacements=replacements).spelled


def test_whole_words_in_any_case_are_replaced() -> None:
    assert "sequel, sequel and MySQL" == spelled("SQL, sql and MySQL", sql="sequel")


def test_a_possessive_is_still_the_word() -> None:
    assert "Nikey's shoes" == spelled("Nike's shoes", nike="Nikey")


def test_the_longest_word_counts_and_is_replaced_once() -> None:
    words = {"new": "old", "old": "ancient", "new_york": "the city"}
    assert "the city is old, old Yorker" == spelled("New  York is new, new Yorker", **words)


def test_signs_belong_to_a_word() -> None:
    replacements = (Pronunciation(word="C++", say="see plus plus"), Pronunciation(word=".net", say="dot net"))
    assert "see plus plus, C and dot net" == replace_words("C++, C and .NET", replacements)


@pytest.mark.parametrize(
    ("text", "word", "made"),
    [
        ("re\u0301gie regie", "r\u00e9gie", "X regie"),
        ("कमी कम", "कम", "कमी X"),
        ("用AI做", "ai", "用X做"),
        ("東京都", "東京", "X都"),
        ("STRASSE straße", "Straße", "STRASSE X"),
        ("İstanbul x", "i\u0307stanbul", "İstanbul x"),
    ],
)
def test_words_of_other_scripts(text: str, word: str, made: str) -> None:
    assert made == replace_words(text, [Pronunciation(word=word, say="X")])


def test_without_replacements_a_text_is_what_it_was() -> None:
    assert " a  b\n" == spelled(" a  b\n")


def test_phonemes_have_a_place_in_the_text() -> None:
    given = (Pronunciation(word="SQL", say="sequel"), Pronunciation(word="Leominster", phonemes="lɛmstə"))
    made = SpeechParams(text=f"SQL in {chr(FIRST_PHONEMES)}Leominster", replacements=given).spelled
    assert f"sequel in {chr(FIRST_PHONEMES + 1)}" == made
    assert has_phonemes(made)
