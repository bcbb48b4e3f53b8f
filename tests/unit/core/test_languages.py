"""Language codes: which of a model's own one means."""

import pytest

from core.languages import MAX_LISTED, find_language, not_spoken

FEW = ("de", "en", "he", "no", "pt", "pt-br", "zh")


@pytest.mark.parametrize(
    ("language_id", "found"),
    [
        ("de", "de"),
        ("DE", "de"),
        ("de-AT", "de"),
        ("de_AT", "de"),
        ("de-CH-1996", "de"),
        (" en-GB ", "en"),
        ("pt-BR", "pt-br"),
        ("pt-PT", "pt"),
        ("iw", "he"),
        ("nb", "no"),
        ("nn-NO", "no"),
        ("cmn", "zh"),
        ("cmn-Hans", "zh"),
        ("zh-Hant-TW", "zh"),
        ("zh-HK", "zh"),  # no Cantonese here, so the Chinese that there is
        ("fr", None),
        ("deu", None),
        ("german", None),
        ("", None),
        ("-", None),
        ("en/../de", None),
    ],
)
def test_a_code_means_the_nearest_language(language_id, found):
    assert found == find_language(language_id, FEW)


def test_the_chinese_of_hong_kong_is_cantonese():
    assert "yue" == find_language("zh-HK", {"zh", "yue"})


@pytest.mark.parametrize(
    ("known", "sentence"),
    [
        (("en",), "tiny does not speak 'tlh': ask for en"),
        (("en", "de", "fr"), "tiny does not speak 'tlh': ask for de, en or fr"),
        (
            [f"a{n}" for n in range(MAX_LISTED + 1)],
            "tiny does not speak 'tlh': choose one of its languages in GET /models/v1",
        ),
    ],
)
def test_a_refusal_lists_the_languages_unless_too_many(known, sentence):
    assert sentence == not_spoken("tiny", "tlh", known)
