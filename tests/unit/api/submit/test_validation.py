"""Refusals before any statement."""

import pytest

from api.http.auth import Caller
from api.submit.validation import check, draw_seed
from core.errors.fields import ForbiddenUrl, InvalidRequest, MissingField, NulInText, OutOfRange
from core.settings import Settings
from jobs.params.cutout import CutoutParams
from jobs.params.image import ImageParams
from jobs.params.speech import Pronunciation, SpeechParams
from jobs.params.video import VideoParams

CALLER = Caller("ten_1", "key_1", 5)
CLOSED = Settings()
OPENED = Settings(allowed_networks="127.0.0.1,::1", development=True)
URL = "https://example.org/a.png"


@pytest.mark.parametrize(
    "url", ["https://example.org/hook", "http://127.0.0.1:8080/x?y=z", "HTTPS://EXAMPLE.ORG", "http://[::1]:80/"]
)
def test_a_callback_url_that_is_fine(url):
    check(ImageParams(prompt="a", callback_url=url), CALLER, OPENED)


@pytest.mark.parametrize(
    "url",
    [
        "example.org",
        "ftp://example.org",
        "http://",
        "https:///x",
        "http://a:99999/",
        "http://[::1/",
        "http://a b/",
        "x",
    ],
)
def test_a_callback_url_that_is_none(url):
    with pytest.raises(InvalidRequest) as caught:
        check(ImageParams(prompt="a", callback_url=url), CALLER, OPENED)
    assert "$.callback_url" == caught.value.field


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080/x", "http://10.0.0.1/", "https://[::1]/", "http://0x7f.1/", "http://localhost/hook"]
)
@pytest.mark.parametrize("field", ["callback_url", "input_image", "reference_images"])
def test_a_url_of_a_forbidden_address(url, field):
    given = {field: (URL, url) if field == "reference_images" else url}
    with pytest.raises(ForbiddenUrl) as caught:
        check(ImageParams(prompt="a", **given), CALLER, CLOSED)
    assert {"reference_images": "$.reference_images[1]"}.get(field, f"$.{field}") == caught.value.field


@pytest.mark.parametrize(
    "source",
    [URL, "data:image/png;base64,nonsense", "DATA:,x", "inp_" + "0" * 32, "inp_x", "data:" + "x" * 5000],
)
def test_a_source_that_may_be_one(source):
    assert CutoutParams(image_url=source) == check(CutoutParams(image_url=source), CALLER, CLOSED)


@pytest.mark.parametrize("source", ["a.png", "stored:image_url", "file:///etc/passwd", "s3://bucket/key", "mod_0"])
def test_a_source_that_is_none(source):
    with pytest.raises(InvalidRequest) as caught:
        check(CutoutParams(image_url=source), CALLER, CLOSED)
    assert (InvalidRequest, "$.image_url") == (type(caught.value), caught.value.field)
    assert caught.value.detail.endswith("a `data:` URL or the `input_id` of an upload.")


@pytest.mark.parametrize("url", ["https://shop.example/a b.png", "https://shop.example/a\n.png", "http://a b/c.png"])
def test_a_space_in_a_url_is_named(url):
    with pytest.raises(InvalidRequest, match="write a space as %20") as caught:
        check(CutoutParams(image_url=url), CALLER, CLOSED)
    assert "$.image_url" == caught.value.field


@pytest.mark.parametrize("text", ["...", "?!", "\u200b\u200d", "\ue000", "\U000e0041", "— « »"])
def test_a_text_without_anything_to_say_is_refused(text):
    with pytest.raises(OutOfRange, match="nothing that can be spoken") as caught:
        check(SpeechParams(text=text), CALLER, CLOSED)
    assert "$.text" == caught.value.field


@pytest.mark.parametrize("text", ["a", "7", "你", "€", "50 %", "&", "→", "... no", "é"])
def test_a_text_with_something_to_say_passes(text):
    assert text == check(SpeechParams(text=text), CALLER, CLOSED).text


@pytest.mark.parametrize("port", [22, 25, 81, 110, 1024])
def test_44_a_url_with_a_closed_port_is_refused(port):
    with pytest.raises(ForbiddenUrl, match=f"does not connect to port {port}; use a URL with one of 80,443,1025-65535"):
        check(CutoutParams(image_url=f"https://shop.example:{port}/a.png"), CALLER, CLOSED)


def test_a_url_that_is_too_long():
    with pytest.raises(OutOfRange) as caught:
        check(CutoutParams(image_url=URL + "a" * 4096), CALLER, CLOSED)
    assert "$.image_url" == caught.value.field


@pytest.mark.parametrize(
    ("params", "missing"),
    [
        (ImageParams(prompt="a", strength=0.5), "input_image"),
        (VideoParams(last_image=URL), "input_image"),
        (ImageParams(prompt="a", pin="prefer"), "server_id"),
        (ImageParams(prompt="a", prefer_seconds=5.0), "pin"),
        (ImageParams(prompt="a", server_id="gpu-1", prefer_seconds=5.0), "pin"),
        (ImageParams(prompt="a", server_id="gpu-1", pin="strict", prefer_seconds=5.0), "pin"),
    ],
    ids=["strength", "last_image", "pin", "prefer_seconds", "of a server", "that is strict"],
)
def test_what_means_nothing_without_another_field(params, missing):
    with pytest.raises(MissingField) as caught:
        check(params, CALLER, CLOSED)
    assert f"$.{missing}" == caught.value.field


def test_a_server_may_be_preferred_for_a_while():
    params = ImageParams(prompt="a", server_id="gpu-1", pin="prefer", prefer_seconds=0.0)
    assert params == check(params, CALLER, CLOSED)


@pytest.mark.parametrize(
    ("params", "kind", "field"),
    [
        ({"prompt": "a\0b"}, NulInText, "$.prompt"),
        ({"prompt": "a", "server_id": "x\0"}, NulInText, "$.server_id"),
        ({"prompt": "a", "priority": 6}, OutOfRange, "$.priority"),
    ],
)
def test_what_needs_no_database_to_be_refused(params, kind, field):
    with pytest.raises(kind) as caught:
        check(ImageParams(**params), CALLER, CLOSED)
    assert field == caught.value.field


def test_a_priority_within_the_keys_ceiling_is_fine():
    assert 5 == check(ImageParams(prompt="a", priority=5), CALLER, CLOSED).priority


def test_the_usual_priority_is_lowered_to_the_keys_ceiling():
    assert 3 == check(ImageParams(prompt="a"), Caller("ten_1", "key_1", 3), CLOSED).priority


def test_minus_one_draws_a_seed_and_any_other_is_kept():
    drawn = {draw_seed(ImageParams(prompt="a")) for _ in range(20)}
    assert len(drawn) > 1
    assert all(0 <= seed < 2**31 for seed in drawn)
    assert 0 == draw_seed(ImageParams(prompt="a", seed=0))
    assert 2**53 - 1 == draw_seed(ImageParams(prompt="a", seed=2**53 - 1))


def test_a_modality_without_a_seed_has_none():
    assert draw_seed(CutoutParams(image_url=URL)) is None


@pytest.mark.parametrize(
    ("text", "words", "error", "field"),
    [
        ("a b", [("SQL", "sequel"), (" sql ", "s q l")], InvalidRequest, "$.replacements[1].word"),
        ("a " * 200, [("a", "b" * 100)], OutOfRange, "$.replacements"),
        ("a", [("a", "...")], OutOfRange, "$.text"),
        ("a", [("a", None)], InvalidRequest, "$.replacements[0]"),
    ],
)
def test_replacements_that_leave_nothing_or_too_much_to_say(text, words, error, field):
    replacements = tuple(Pronunciation(word=word, say=say) for word, say in words)
    with pytest.raises(error) as caught:
        check(SpeechParams(text=text, replacements=replacements), CALLER, CLOSED)
    assert field == caught.value.field


def test_a_text_fits_with_its_replacements():
    check(SpeechParams(text="a " * 200, replacements=(Pronunciation(word="a", say="b" * 40),)), CALLER, CLOSED)


def test_a_word_has_a_spelling_or_phonemes():
    both = Pronunciation(word="a", say="b", phonemes="b")
    with pytest.raises(InvalidRequest, match="not by both"):
        check(SpeechParams(text="a", replacements=(both,)), CALLER, CLOSED)
    check(SpeechParams(text="a", replacements=(Pronunciation(word="a", phonemes="bi"),)), CALLER, CLOSED)


def test_a_voice_is_the_models_or_a_recordings():
    with pytest.raises(InvalidRequest) as caught:
        check(SpeechParams(text="a", voice="jm_kumo", target_voice_path=URL), CALLER, OPENED)
    assert "$.voice" == caught.value.field
