"""The picture is `input_image` everywhere; `image_path` and `image_url` are its other names, for ever."""

import base64
import json

import pytest

from jobs.schema.tables import inputs
from tests.support.servers.media_server import png

URL = "https://shop.example/chair.jpg"
PICTURE = f"data:image/png;base64,{base64.b64encode(png(2)).decode()}"
NAMES = ("input_image", "image_path", "image_url")
BODIES = {
    "/generate/image/v1": {"prompt": "a chair", "model": "chaos-edit"},
    "/generate/video/v1": {},
    "/generate/3d/v1": {},
    "/generate/remove-background/v1": {},
}


@pytest.fixture(autouse=True)
def served(all_models):
    pass


def refused(answer, code, field):
    assert (422, code, field) == (answer.status_code, answer.json()["code"], answer.json()["field"]), answer.text
    return answer.json()["detail"]


def sources(rows, answer):
    assert 202 == answer.status_code, answer.text
    job_id = answer.json()["job_id"]
    return [row.url or row.source_key for row in rows.execute(inputs.select().where(inputs.c.job_id == job_id))]


@pytest.mark.matrix
@pytest.mark.parametrize("route", BODIES)
@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_read_on_every_route(client, rows, route, name):
    assert [URL] == sources(rows, client.post(route, json=BODIES[route] | {name: URL}))


@pytest.mark.parametrize("route", BODIES)
def test_two_names_are_refused(client, route):
    for names in (NAMES[:2], NAMES[1:], NAMES):
        answer = client.post(route, json=BODIES[route] | dict.fromkeys(names, URL))
        assert "send `input_image` alone" in refused(answer, "invalid_request", f"$.{names[-1]}")


@pytest.mark.matrix
@pytest.mark.parametrize("route", BODIES)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("value", "code"), [(5, "wrong_type"), ("", "out_of_range"), ("http://10.0.0.1/", "forbidden_url")]
)
def test_a_fault_is_at_the_name_that_was_sent(client, route, name, value, code):
    detail = refused(client.post(route, json=BODIES[route] | {name: value}), code, f"$.{name}")
    assert code == "forbidden_url" or f"`{name}`" in detail


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("route", ["/generate/3d/v1", "/generate/remove-background/v1"])
def test_a_large_body_has_every_name_too(client, rows, store, route, name):
    """Above 1 MB it is spooled, and its base64 goes from the file to the store."""
    large = f"data:image/png;base64,{base64.b64encode(png(2) + bytes(1_500_000)).decode()}"
    (key,) = sources(rows, client.post(route, json={name: large}))
    assert len(png(2)) + 1_500_000 == store.size(key)
    refused(
        client.post(route, json={name: large.replace("png;base64,", "png;base64,!")}), "input_unreadable", f"$.{name}"
    )


def test_a_missing_picture_has_its_documented_name(client):
    for route, said in (
        ("/generate/3d/v1", "`input_image` is required; add it."),
        ("/generate/remove-background/v1", "`input_image` or `input_video` is required; add one of them."),
    ):
        assert said == refused(client.post(route, json={}), "missing_field", "$.input_image")


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("route", "wrong", "right"),
    [
        *((route, wrong, "input_image") for route in BODIES for wrong in ("image", "init_image", "input_imgae", "url")),
        ("/generate/speech/v1", "audio", "target_voice_path"),
        ("/generate/speech/v1", "prompt", "text"),
        ("/generate/image/v1", "text", "prompt"),
        ("/generate/image/v1", "steps", "num_inference_steps"),
        ("/generate/image/v1", "webhook", "callback_url"),
    ],
)
def test_a_wrong_name_is_answered_with_the_right_one(client, route, wrong, right):
    assert f"did you mean `{right}`?" in refused(client.post(route, json={wrong: "a"}), "unknown_field", f"$.{wrong}")


def test_an_unknown_name_beside_an_alias_is_refused(client):
    body = {"image_path": URL, "image_pth": URL}
    assert "did you mean" in refused(
        client.post("/generate/remove-background/v1", json=body), "unknown_field", "$.image_pth"
    )


def test_an_idempotency_key_belongs_to_the_body_as_sent(client):
    headers = {"Idempotency-Key": "a"}
    answers = [client.post("/generate/3d/v1", json={"image_url": URL}, headers=headers).json() for _ in range(2)]
    assert answers[0]["job_id"] == answers[1]["job_id"]


def test_numbers_stay_as_strict_beside_an_alias(client):
    body = json.dumps({"image_url": URL, "max_faces": "1000"})
    refused(client.post("/generate/3d/v1", content=body), "wrong_type", "$.max_faces")
    repeated = f'{{"image_url": "{URL}", "max_faces": "x", "max_faces": 1000}}'
    assert 202 == client.post("/generate/3d/v1", content=repeated).status_code
