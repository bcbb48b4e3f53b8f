import pytest

from api.dialects.voice_choice import ChosenVoice, choose_voice, shown_id, stored_id
from core.errors.fields import InvalidRequest
from core.errors.inputs import UnknownInput
from pipelines.catalog.aliases import Aliases
from pipelines.catalog.loader import load_catalog
from tests.support.paths import CATALOG

STORED = "0" * 31 + "7"
ALIASES = Aliases(voices={"voice_rachel": None, "nova": "builtin:chaos-speech", "anna": f"voi_{STORED}"})


@pytest.mark.parametrize(
    ("voice_id", "chosen"),
    [
        (None, ChosenVoice()),
        ("voice_rachel", ChosenVoice()),
        (f"voice_{STORED}", ChosenVoice(stored=f"voi_{STORED}")),
        (f"voi_{STORED}", ChosenVoice(stored=f"voi_{STORED}")),
        ("anna", ChosenVoice(stored=f"voi_{STORED}")),
        ("nova", ChosenVoice(model="chaos-speech")),
        ("voice_chaos-speech", ChosenVoice(model="chaos-speech")),
        ("builtin:chaos-speech", ChosenVoice(model="chaos-speech")),
    ],
)
def test_a_voice_is_a_stored_one_or_a_models_or_the_default(voice_id, chosen):
    assert chosen == choose_voice(voice_id, None, ALIASES, load_catalog(CATALOG))


@pytest.mark.parametrize("voice_id", ["voice_unheard", "voice_chaos", "../x", "voice_", "builtin:"])
def test_an_unknown_voice_is_refused(voice_id):
    with pytest.raises(UnknownInput) as refused:
        choose_voice(voice_id, None, ALIASES, load_catalog(CATALOG))
    assert "$.voice_id" == refused.value.field


@pytest.mark.parametrize(
    ("voice_id", "voice"),
    [
        ("voice_demo-kokoro:jm_kumo", "jm_kumo"),
        ("builtin:demo-kokoro:jf_nezumi", "jf_nezumi"),
        ("voice_demo-kokoro", "jf_alpha"),
    ],
)
def test_one_of_several_voices_of_a_model(voice_id, voice):
    chosen = choose_voice(voice_id, None, ALIASES, load_catalog())
    assert ChosenVoice(model="demo-kokoro", voice=voice) == chosen


@pytest.mark.parametrize("voice_id", ["voice_demo-kokoro:af_heart", "builtin:demo-espeak:jm_kumo"])
def test_a_voice_that_the_model_has_not_is_refused(voice_id):
    with pytest.raises(UnknownInput):
        choose_voice(voice_id, None, ALIASES, load_catalog())


def test_the_voice_of_another_model_is_refused():
    with pytest.raises(InvalidRequest, match="chaos-speech"):
        choose_voice("nova", "chatterbox", ALIASES, load_catalog(CATALOG))


def test_an_id_is_shown_under_the_dialects_prefix():
    assert f"voice_{STORED}" == shown_id(f"voi_{STORED}")
    assert f"voi_{STORED}" == stored_id(shown_id(f"voi_{STORED}"))
    assert "voice_chaos-speech" == shown_id("builtin:chaos-speech")
