"""Uploads in a form that calls itself JSON, and the links that stand for them."""

import httpx
import pytest
from sqlalchemy import text

from tests.support.media.media import image_file

ROUTE = "/imagepipeline/upload/image/v1"
EDGE = "5f2b1c9d"


def form(content, *, name="file", filename="chair.png", edge=EDGE):
    head = f'--{edge}\r\nContent-Disposition: form-data; name="{name}"; filename="{filename}"\r\n'
    return head.encode() + b"Content-Type: image/png\r\n\r\n" + content + f"\r\n--{edge}--\r\n".encode()


def send(client, body, content_type="application/json"):
    return client.post(ROUTE, content=body, headers={"Content-Type": content_type})


@pytest.mark.parametrize("content_type", ["application/json", f"multipart/form-data; boundary={EDGE}"])
def test_a_form_is_known_by_its_first_bytes(client, content_type):
    answer = send(client, form(image_file()), content_type)
    assert 201 == answer.status_code, answer.text
    made = answer.json()
    assert ("chair.png", "image/png", len(image_file())) == (made["filename"], made["content_type"], made["size_bytes"])


def test_the_link_downloads_the_picture_and_stands_for_it(client, all_models):
    url = send(client, form(image_file())).json()["url"]
    with httpx.Client(follow_redirects=True) as anyone:
        assert image_file() == anyone.get(url).content
    made = client.post("/imagepipeline/background/remove/image/v1", json={"input_image": url})
    assert 202 == made.status_code, made.text
    request = client.get(f"/jobs/v1/{made.json()['job_id']}/request").json()
    assert any(str(value).startswith("inp_") for value in request.get("params", request).values())


def test_a_link_needs_its_signature(client, api):
    url = send(client, form(image_file())).json()["url"]
    with httpx.Client() as anyone:
        refused = anyone.get(url.partition("?")[0])
    assert (403, "BAD_SIGNATURE") == (refused.status_code, refused.json()["error_code"])


def test_another_tenants_link_is_an_unknown_input(client, stranger, all_models):
    url = send(client, form(image_file())).json()["url"]
    refused = stranger.post("/imagepipeline/background/remove/image/v1", json={"input_image": url})
    assert (422, "unknown_input") == (refused.status_code, refused.json()["code"])


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"file": "chair.png"}', "invalid_request"),
        (b"", "invalid_request"),
        (b"--" + b"x" * 5000, "invalid_request"),
        (form(b"not a picture"), "unsupported_media"),
        (form(b""), "input_unreadable"),
        (form(image_file(), name="image"), "unknown_field"),
        (form(image_file())[:-20], "invalid_request"),
    ],
)
def test_what_is_no_form_with_a_picture_is_refused(client, rows, body, code):
    refused = send(client, body)
    assert (422, code, "INVALID_PARAMETERS") == (
        refused.status_code,
        refused.json()["code"],
        refused.json()["error_code"],
    )
    assert 0 == rows.scalar(text("SELECT count(*) FROM uploads"))
