"""Voices, languages, the key: what VideoGen's client asks for before it starts a tool."""

import base64

import httpx
import pytest

from tests.support.media.recordings import tone
from tests.support.servers.media_server import png


@pytest.fixture
def speaking(rows):
    """A live server with a model that speaks."""
    return rows.server("gpu-voice", serves=["chaos-speech"])


@pytest.fixture
def anna(client):
    """The id of a stored voice."""
    source = f"data:audio/wav;base64,{base64.b64encode(tone(2)).decode()}"
    return client.post("/voices/v1", json={"name": "Anna", "source": source}).json()["voice_id"]


def test_me_is_the_key_and_its_tenant(vg, tenant):
    me = vg.account.get_me()
    assert me["api_key_id"].startswith("key_")
    assert ("test", "studio", tenant, None) == (me["api_key_nickname"], me["display_name"], me["team_id"], me["email"])


@pytest.mark.contract("D34")
def test_voices_are_stored_and_built_in_ones(vg, speaking, anna):
    listed = vg.resources.list_tts_voices(limit=1)
    (first,) = listed["tts_voices"]
    assert {
        "voice_id": anna.replace("voi_", "vg_voic_"),
        "language_code": "en",
        "display_name": "Anna",
        "display_gender": "NEUTRAL",
        "accent": None,
        "description": "A recording that you have stored.",
        "supports_direct_tool_execution": True,
        "supports_all_languages": True,
        "is_deprecated": False,
    } == first
    assert listed["has_more"]
    rest = vg.resources.list_tts_voices(limit=1, cursor=listed["next_cursor"], include_deprecated_voices=True)
    assert ["Chaos"] == [voice["display_name"] for voice in rest["tts_voices"]]
    assert (False, None) == (rest["has_more"], rest["next_cursor"])
    assert ["Anna"] == [voice["display_name"] for voice in vg.resources.list_tts_voices(query="ann")["tts_voices"]]


def test_a_cursor_of_another_list_is_refused(vg, speaking, refused):
    error = refused(vg.resources.list_tts_voices, cursor="bm90aGluZw")
    assert (400, "invalid_parameters") == (error.status, error.body["code"])


@pytest.mark.parametrize("named", ["Anna", "anna", "id"])
def test_a_voice_is_named_by_id_or_display_name(vg, speaking, anna, client, named):
    voice = anna.replace("voi_", "vg_voic_") if named == "id" else named
    started = vg.tools.text_to_speech(tts_text="Good morning", voice_id=voice, speech_language_code="de-AT")
    job = client.get(f"/jobs/v1/{started['tool_execution_id'].replace('vg_exec', 'job')}/request").json()
    assert (anna, "de-AT") == (job["params"]["target_voice_path"], job["params"]["language_id"])


def test_a_built_in_voice_names_its_model(vg, speaking, client):
    started = vg.tools.text_to_speech(
        tts_text="Welcome to Atelier",
        voice_id="chaos",
        pronunciation_replacements=[{"original": "Atelier", "replacement": "attell yay"}],
    )
    job = client.get(f"/jobs/v1/{started['tool_execution_id'].replace('vg_exec', 'job')}/request").json()
    assert ("chaos-speech", "Welcome to attell yay") == (job["model"], job["params"]["text"])


def test_an_unknown_voice_is_refused(vg, speaking, refused):
    error = refused(vg.tools.text_to_speech, tts_text="Good morning", voice_id="Berta")
    assert (400, "invalid_parameters") == (error.status, error.body["code"])
    assert "tts-voices" in str(error)


def test_languages_are_those_that_are_spoken(vg, speaking):
    german, english = {"language_code": "de", "name": "German"}, {"language_code": "en", "name": "English"}
    assert {"languages": [german, english]} == vg.resources.list_languages()
    assert {"languages": [german]} == vg.resources.list_languages(query="germ")


@pytest.mark.contract("D33")
def test_presenters_are_actors_with_a_picture(vg, upload_picture, stranger_vg):
    path = "/v1/resources/avatar-presenters"  # a call of clients of version 1
    anna, ben, _ = [vg.entities.create_entity(entity_type="ACTOR", name=name)["entity_id"] for name in "ABC"]
    picture = upload_picture("anna.png")
    for actor in (anna, ben):
        vg.entities.add_entity_reference(entity_id=actor, file_id=picture)
    page = vg.request(method="GET", path=path, query={"limit": 2})
    assert [ben.replace("enti", "pres")] == [one["avatar_presenter_id"] for one in page["avatar_presenters"]]
    rest = vg.request(method="GET", path=path, query={"limit": 2, "cursor": page["next_cursor"]})
    (shown,) = rest["avatar_presenters"]
    assert {
        "avatar_presenter_id": anna.replace("enti", "pres"),
        "displayable_gender": "NEUTRAL",
        "image_url": shown["image_url"],
        "thumbnail_url": None,
        "preview_video_url": None,
    } == shown
    assert png() == httpx.get(shown["image_url"], follow_redirects=True).content
    assert (False, None) == (rest["has_more"], rest["next_cursor"])
    assert [] == stranger_vg.request(method="GET", path=path)["avatar_presenters"]
