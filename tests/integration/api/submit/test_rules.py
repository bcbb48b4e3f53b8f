"""The rules of a model's entry at the routes: what is refused or ignored, what it costs, and where it is listed."""

import msgspec
import pytest

from jobs.schema.tables import inputs
from tests.support.checkpoints.specs import entry

URL = "https://example.org/a.png"
RULES = {
    "family": "tests.support.faults.chaos:Chaos",
    "source": None,
}
STRICT = {
    "modality": "image",
    "capabilities": ["text-to-image"],
    "limits": {"max_prompt_chars": 20},
    "unsupported": {"negative_prompt": "refuse", "quality": "refuse"},
}
FILM = {
    "modality": "video",
    "capabilities": ["text-to-video", "image-to-video", "first-last-frame"],
    "limits": {
        "durations": [4, 8],
        "inputs": {"image-to-video": [2, 2]},
        "input_types": ["image/jpeg"],
        "max_input_bytes": 10_000_000,
    },
    "unsupported": {"duration": "adapt", "negative_prompt": "refuse"},
    "rates": {"per_second": 0.5},
}


@pytest.fixture(scope="module")
def settings(settings, tmp_path_factory):
    catalog = tmp_path_factory.mktemp("catalog") / "models.toml"
    catalog.write_text(entry("strict", **RULES | STRICT) + entry("film", **RULES | FILM))
    return msgspec.structs.replace(settings, catalog=str(catalog))


@pytest.fixture(autouse=True)
def _served(rows):
    rows.server(serves=["strict", "film"])


@pytest.mark.parametrize(
    ("path", "body", "field", "words"),
    [
        ("image", {"negative_prompt": "blur"}, "$.negative_prompt", "`negative_prompt` is not supported by strict"),
        ("image", {"quality": "ultra"}, "$.quality", "`quality` must be standard for strict"),
        ("image", {"prompt": "more than 20 characters"}, "$.prompt", "at most 20 characters for strict"),
        ("image", {"input_image": URL}, "$.input_image", "`input_image` is not supported by strict"),
        ("video", {"input_image": URL}, "$.last_image", "exactly 2 pictures for image-to-video; this request has 1"),
    ],
)
def test_a_native_route_refuses_with_the_rule(client, path, body, field, words):
    answer = client.post(f"/generate/{path}/v1", json={"prompt": "a red circle"} | body)
    assert (422, field) == (answer.status_code, answer.json()["field"])
    assert words in answer.json()["detail"]


def test_openais_clients_are_ignored_where_others_are_refused(client):
    body = {"prompt": "a red circle", "model": "film", "negative_prompt": "blur"}
    for path in ("/generate/video/v1", "/whaletools/v1/generate/video"):
        refused = client.post(path, json=body)
        assert 422 == refused.status_code, refused.text
        assert "`negative_prompt` is not supported by film" in refused.text
    accepted = client.post("/openai/v1/videos", files={name: (None, text) for name, text in body.items()})
    assert 200 == accepted.status_code, accepted.text


def test_a_film_costs_what_is_made_of_it(client):
    for asked, price in ((1.0, 2.0), (9.0, 4.0)):
        answer = client.post("/generate/video/v1", json={"duration_seconds": asked})
        assert 202 == answer.status_code, answer.text
        job = client.get(f"/jobs/v1/{answer.json()['job_id']}").json()
        assert price == job["price_usd"]


def test_inputs_carry_what_the_model_takes(client, rows):
    answer = client.post("/generate/video/v1", json={"input_image": URL, "last_image": URL})
    assert 202 == answer.status_code, answer.text
    found = rows.execute(inputs.select())
    assert [(10_000_000, ["image/jpeg"])] * 2 == [(row.max_bytes, row.types) for row in found]


def test_the_rules_are_listed(client):
    models = {model["id"]: model for model in client.get("/models/v1").json()["models"]}
    film, strict = models["film"], models["strict"]
    assert {"text-to-video": [0, 0], "image-to-video": [2, 2]} == film["inputs"]
    assert ([4.0, 8.0], ["image/jpeg"], 10_000_000) == tuple(
        film["limits"][name] for name in ("durations", "input_types", "max_input_bytes")
    )
    assert ("adapt", "refuse") == (film["unsupported"]["duration"], strict["unsupported"]["quality"])
