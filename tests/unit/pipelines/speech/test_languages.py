"""From a language code to a voice."""

import pytest

from core.errors.fields import NotThisModel
from pipelines.catalog.loader import load_catalog
from pipelines.speech.espeak_library import all_voices
from pipelines.speech.languages import voice_for
from tests.support.checkpoints.specs import spec

DEMO = spec(id="demo-espeak", modality="speech", family="espeak")


@pytest.mark.contract("C35")
@pytest.mark.parametrize(
    ("language_id", "identifier"),
    [
        ("en", "gmw/en"),
        ("en-gb", "gmw/en"),
        ("en-GB", "gmw/en"),
        ("en-us", "gmw/en-US"),
        ("en_US", "gmw/en-US"),
        ("en-AU", "gmw/en"),
        ("de", "gmw/de"),
        ("de-AT", "gmw/de"),
        ("fr-CH", "roa/fr-CH"),
        ("pt", "roa/pt"),
        ("pt-BR", "roa/pt-BR"),
        ("es-MX", "roa/es-419"),
        ("zh", "sit/cmn"),
        ("zh-CN", "sit/cmn"),
        ("zh-Hant-TW", "sit/cmn"),
        ("cmn", "sit/cmn"),
        ("zh-HK", "sit/yue"),
        ("zh-yue", "sit/yue"),
        ("no", "gmq/nb"),
        ("nn", "gmq/nb"),
        ("iw", "sem/he"),
        ("eu", "eu"),
    ],
)
def test_codes_lead_to_the_nearest_voice(language_id: str, identifier: str) -> None:
    assert identifier == voice_for(language_id, all_voices(), DEMO).identifier


@pytest.mark.parametrize("language_id", ["xx", "klingon", "english", "../en", "fo", "  ", "-", "gmw/en"])
def test_an_unknown_one_is_refused_by_name(language_id: str) -> None:
    with pytest.raises(NotThisModel) as caught:
        voice_for(language_id, all_voices(), DEMO)

    assert (
        f"demo-espeak does not speak {language_id!r}: choose one of its languages in GET /models/v1."
        == caught.value.detail
    )
    assert "$.language_id" == caught.value.field


def test_the_catalogue_names_every_language_of_the_library() -> None:
    tags = {tag for voice in all_voices() for tag, _ in voice.tags}

    assert sorted(tags) == list(load_catalog().get("demo-espeak").languages)
