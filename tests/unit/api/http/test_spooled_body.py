"""Large bodies in a file: decoded as one in memory is, without their base64."""

import base64
import json
import time

import pytest

from api.http.spooled_body import MOST_VALUES, PIECE, SpooledBody, decode, digest
from api.native.media.voices import NewVoice
from api.submit import data_urls
from core.errors.base import AtelierError
from core.errors.fields import InvalidRequest
from core.errors.unavailable import StorageUnavailable
from jobs.params.image import ImageParams
from jobs.params.media import media_of

CONTENT = bytes(range(256)) * 4000
TEXT = base64.b64encode(CONTENT).decode()
URL = f"data:image/png;base64,{TEXT}"
PAD = " " * PIECE


def spooled(text, folder=None):
    body = SpooledBody(folder)
    encoded = text.encode()
    for start in range(0, len(encoded), 65_536):
        if body.add(encoded[start : start + 65_536]):
            body.write()
    return body


def outcome(decoded):
    """What was decoded, or the refusal."""
    try:
        return decoded()
    except AtelierError as error:
        return type(error), error.detail, error.field


def contents(params, body):
    """The bytes of each medium."""
    return [
        b"".join(data_urls.decode(medium.source, limit=20_000_000, field=medium.field, body=body))
        for medium in media_of(params)
    ]


@pytest.mark.parametrize(
    ("fields", "media", "references"),
    [
        ({"input_image": URL}, [CONTENT], 1),
        ({"input_image": URL, "reference_images": [URL, "data:image/png;base64,QUJD"]}, [CONTENT, CONTENT, b"ABC"], 2),
        ({"input_image": URL.replace("+", "%2B")}, [CONTENT], 0),
        ({"input_image": URL.replace("data:", "DATA:")}, [CONTENT], 1),
        ({"input_image": URL.replace("base64", "BASE64")}, [CONTENT], 0),
        ({"input_image": f"data:image/png;name={'a' * 300};base64,{TEXT}"}, [CONTENT], 0),
        ({"prompt": 'see "data:;base64,'}, [], 0),
        ({}, [], 0),
    ],
    ids=["image", "images", "escapes", "DATA", "BASE64", "long-name", "prompt", "none"],
)
def test_media_are_the_same_as_without_a_file(fields, media, references):
    body = spooled(json.dumps({"prompt": "a"} | fields) + PAD)
    params = body.decode(ImageParams)
    assert media == contents(params, body)
    assert references == sum("@" in medium.source for medium in media_of(params))


def test_escaped_slashes_are_read(tmp_path):
    body = spooled(json.dumps({"prompt": "a", "input_image": URL}).replace("/", "\\/"), tmp_path)
    assert [CONTENT] == contents(body.decode(ImageParams), body)


def test_a_stored_voice_is_spooled_too():
    body = spooled(json.dumps({"name": "Anna", "source": URL}) + PAD)
    voice = body.decode(NewVoice)
    assert len(voice.source) < 100
    assert [CONTENT] == contents(voice, body)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"prompt": URL}),
        json.dumps({"prompt": f'"{URL}'}),
        json.dumps({"prompt": "a", "model": URL}),
        json.dumps({"prompt": "a", URL: 1}),
        json.dumps({"prompt": "a", "input_image": [URL]}),
        json.dumps({"prompt": "a", "input_image": URL, "width": "1024"}),
        json.dumps({"prompt": "a", "input_image": URL})[:-1],
        json.dumps({"prompt": "a", "input_image": URL})[:-2],
        json.dumps({"prompt": "a", "input_image": URL}) + "}",
        '{"prompt": "a"' + f'"{URL}"' + "}",
        f'{{"input_image": "{URL}", "prompt": "a", "input_image": "https://a.example/b"}}',
        f'{{"input_image": "https://a.example/b", "prompt": "a", "input_image": "{URL}", "input_image": null}}',
        '{"prompt": "a", "reference_images": [' + '"data:;base64,",' * 100_001 + f'"{URL}"]}}',
    ],
    ids=lambda _: "body",
)
def test_a_body_is_judged_as_without_a_file(text):
    padded = PAD + text
    assert outcome(lambda: decode(padded.encode(), ImageParams)) == outcome(lambda: spooled(padded).decode(ImageParams))


def test_the_marks_of_data_urls_cost_little():
    """As many as a body may have; searched to its end from each of them, 24 MB would take minutes."""
    body = spooled('{"prompt":"' + (";base64," + "a" * (24_000_000 // MOST_VALUES)) * MOST_VALUES + '"}')
    began = time.process_time()
    kind, _, _ = outcome(lambda: body.decode(ImageParams))
    assert issubclass(kind, InvalidRequest)
    assert time.process_time() - began < 10


def test_a_reference_that_a_caller_writes_leads_nowhere():
    reference = "@" + "0" * 32
    body = spooled(json.dumps({"prompt": "a", "input_image": f"data:;base64,{reference}"}) + PAD)
    params = body.decode(ImageParams)
    assert body.find(reference) is None
    with pytest.raises(AtelierError, match="not valid base64"):
        contents(params, body)


@pytest.mark.parametrize("padding", ["", PAD], ids=["small", "large"])
def test_the_digest_is_that_of_path_and_body(padding):
    text = json.dumps({"prompt": "a"}) + padding
    assert digest("/a", text.encode()) == spooled(text).digest("/a/")


def test_a_closed_body_is_gone():
    body = spooled(json.dumps({"prompt": "a", "input_image": URL}))
    params = body.decode(ImageParams)
    reading = data_urls.decode(params.input_image, limit=20_000_000, field="$", body=body)
    next(reading)
    body.close()
    body.close()
    with pytest.raises(ValueError, match="closed"):
        list(reading)


def test_no_space_for_a_body_is_said(tmp_path):
    with pytest.raises(StorageUnavailable, match="Not enough space"):
        spooled(PAD, str(tmp_path / "gone"))
