"""Uploads in a form that calls itself JSON, and the links that stand for them."""

import httpx
import pytest
from sqlalchemy import text

from tests.support.media.media import image_file

ROUTE = "/imagepipeline/upload/image/v1"
REMOVE = "/imagepipeline/background/remove/image/v1"
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


def test_an_upload_is_found_in_the_library(client):
    url = send(client, form(image_file())).json()["url"]
    (item,) = client.get("/media/v1").json()["media"]
    assert (url, "chair.png", "image", "upload") == (item["url"], item["filename"], item["kind"], item["source"])
    (found,) = client.get("/media/v1/search", params={"q": "chair.png"}).json()["results"]
    assert item["media_id"] == found["media"]["media_id"]


def test_the_link_downloads_the_picture_and_stands_for_it(client, all_models):
    url = send(client, form(image_file())).json()["url"]
    with httpx.Client(follow_redirects=True) as anyone:
        assert image_file() == anyone.get(url).content
    made = client.post(REMOVE, json={"input_image": url})
    assert 202 == made.status_code, made.text
    request = client.get(f"/jobs/v1/{made.json()['job_id']}/request").json()["params"]
    assert client.get("/media/v1").json()["media"][0]["media_id"] == request["input_image"]


def test_another_tenants_link_is_as_an_unknown_one(client, stranger, all_models):
    url = send(client, form(image_file())).json()["url"]
    media_id = client.get("/media/v1").json()["media"][0]["media_id"]
    unknown = url.replace(media_id, f"med_{'0' * 32}")
    refused = [stranger.post(REMOVE, json={"input_image": one}) for one in (url, unknown)]
    assert [(422, "unknown_input")] * 2 == [(one.status_code, one.json()["code"]) for one in refused]
    assert refused[0].json()["message"] == refused[1].json()["message"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"file": "chair.png"}', "invalid_request"),
        (b"", "invalid_request"),
        (b"--" + b"x" * 5000, "invalid_request"),
        (form(b"not a picture"), "unsupported_media"),
        (form(image_file("JPEG")), "media_type_mismatch"),
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
    assert 0 == rows.scalar(text("SELECT count(*) FROM media"))
