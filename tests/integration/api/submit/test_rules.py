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
LOUD = {
    "modality": "video",
    "capabilities": ["text-to-video", "sound"],
    "rates": {"per_second": 0.5, "sound_per_second": 0.25},
}
MOVER = {
    "modality": "video",
    "capabilities": ["motion-control"],
    "limits": {"films": {"types": ["video/mp4", "video/webm"]}},
}
CHIME = {
    "modality": "sound",
    "vocabulary": {"bell": ["chime"], "rain": []},
    "limits": {"max_seconds": 8.0},
    "rates": {"per_second": 0.5},
}
LISTENER = {"modality": "sound", "capabilities": ["negative-prompt"], "limits": {"max_seconds": 30.0}}
SINGER = {"modality": "music", "capabilities": ["lyrics"], "limits": {"max_seconds": 30.0, "max_lyrics_chars": 10}}
PLAYER = {"modality": "music", "limits": {"durations": [10, 20]}, "unsupported": {"duration": "adapt"}}
REFERRER = {"modality": "image", "capabilities": ["references"], "limits": {"max_references": 4}}
FAR = {
    "modality": "image",
    "capabilities": ["references", "image-to-image"],
    "limits": {"max_references": 4},
    "source": {"repo": "org/far", "revision": "0" * 40},
}
SOUNDS = (CHIME, LISTENER, SINGER, PLAYER)
NAMES = ["strict", "film", "loud", "mover", "referrer", "far", "chime", "listener", "singer", "player"]


@pytest.fixture(scope="module")
def settings(settings, tmp_path_factory):
    catalog = tmp_path_factory.mktemp("catalog") / "models.toml"
    entries = dict(zip(NAMES, (STRICT, FILM, LOUD, MOVER, REFERRER, FAR, *SOUNDS), strict=True))
    catalog.write_text("".join(entry(name, **RULES | facts) for name, facts in entries.items()))
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


@pytest.mark.contract("B47", "B51")
def test_a_film_carries_what_the_model_takes(client, rows):
    film = URL.replace(".png", ".mp4")
    answer = client.post("/generate/video/v1", json={"input_image": URL, "motion_video": film, "model": "mover"})
    assert 202 == answer.status_code, answer.text
    (row,) = (row for row in rows.execute(inputs.select()) if row.kind == "video")
    assert ("motion_video", 100_000_000, 30.0) == (row.name, row.max_bytes, row.max_seconds)
    assert ["video/mp4", "video/webm"] == row.types
    refused = client.post("/generate/video/v1", json={"input_image": URL, "motion_video": film, "model": "film"})
    assert (
        "`motion_video` is not supported by film; remove it, or choose mover, which no running server serves yet."
        == refused.json()["detail"]
    )


@pytest.mark.contract("B66", "B67")
def test_elements_carry_rules_of_their_own(client, rows):
    elements = [
        {"name": "mug", "description": "a mug", "element_input_urls": [URL, URL]},
        {"name": "hand", "description": "a hand", "element_input_video_urls": [URL]},
    ]
    asked = {"prompt": "@mug", "model": "referrer", "elements": elements}
    assert 202 == client.post("/generate/image/v1", json=asked).status_code
    found = {row.name: row for row in rows.execute(inputs.select())}
    first, last, film = (found[f"elements.{name}"] for name in ("0.picture.0", "0.picture.1", "1.film.0"))
    assert [(10_000_000, ["image/jpeg", "image/png"], 300, None)] * 2 == [
        (row.max_bytes, row.types, row.min_side, row.frame) for row in (first, last)
    ]
    assert (50_000_000, ["video/mp4", "video/quicktime"], "middle") == (film.max_bytes, film.types, film.frame)


@pytest.mark.parametrize(
    ("elements", "field", "words"),
    [
        ([{}], "$.elements[0].element_input_urls", "2 to 4 `element_input_urls`, or one of"),
        ([{"element_input_urls": [URL]}], "$.elements[0].element_input_urls", "must have 2 to 4 pictures"),
        ([{"element_input_urls": [URL] * 5}], "$.elements[0].element_input_urls", "at most 4"),
        ([{"element_input_video_urls": [URL] * 2}], "$.elements[0].element_input_video_urls", "at most 1"),
        (
            [{"element_input_urls": [URL] * 2, "element_input_video_urls": [URL]}],
            *("$.elements[0].element_input_video_urls", "remove one of the two"),
        ),
        ([{"element_input_urls": [URL] * 2}] * 2, "$.elements[1].name", "a `name` of its own"),
        ([{"name": "a b", "element_input_urls": [URL] * 2}], "$.elements[0].name", "name"),
        (
            [{"element_input_urls": [URL] * 3}, {"name": "b", "element_input_urls": [URL] * 2}],
            "$.reference_images",
            "4",
        ),
    ],
)
def test_elements_that_are_not_whole_are_refused(client, elements, field, words):
    whole = [{"name": "mug", "description": "a mug"} | element for element in elements]
    answer = client.post("/generate/image/v1", json={"prompt": "a", "model": "referrer", "elements": whole})
    assert (422, field) == (answer.status_code, answer.json()["field"]), answer.text
    assert words in answer.json()["detail"]


def test_elements_need_a_model_with_references(client):
    elements = [{"name": "mug", "description": "a mug", "element_input_urls": [URL] * 2}]
    answer = client.post("/generate/image/v1", json={"prompt": "a", "model": "strict", "elements": elements})
    assert (422, "$.elements") == (answer.status_code, answer.json()["field"])
    said = "`elements` is not supported by strict; remove it, or choose referrer or far, which "
    assert f"{said}no running server serves yet." == answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (
            {"model": "far"},
            "`input_image` is required by far; add it, or choose strict. No running server serves far yet; "
            "`atelier weights fetch far` on a server gets it.",
        ),
        (
            {"model": "referrer", "input_image": URL, "strength": 0.5},
            "`strength` is not supported by referrer; remove it, or choose far, which no running server serves yet. "
            "No running server serves referrer yet.",
        ),
    ],
)
def test_a_refusal_leads_to_what_is_served(client, body, detail):
    answer = client.post("/generate/image/v1", json={"prompt": "a"} | body)
    assert (422, detail) == (answer.status_code, answer.json()["detail"])


@pytest.mark.contract("B10", "B57")
def test_sound_is_of_models_that_make_it_and_costs_more(client):
    for sound, price in ((False, 1.0), (True, 1.5)):  # of two seconds
        answer = client.post("/generate/video/v1", json={"model": "loud", "sound": sound})
        assert 202 == answer.status_code, answer.text
        assert price == client.get(f"/jobs/v1/{answer.json()['job_id']}").json()["price_usd"]
    refused = client.post("/generate/video/v1", json={"model": "film", "sound": True})
    problem = refused.json()
    assert (422, "no_capable_model", "$.sound") == (refused.status_code, problem["code"], problem["field"])
    assert (
        "`sound` needs a model of `sound` on a server of film, and no running one has both; leave it out, choose loud, "
        "or ask the operator for one." == problem["detail"]
    )
    models = {model["id"]: model for model in client.get("/models/v1").json()["models"]}
    assert ("sound" in models["loud"]["capabilities"], 0.25) == (True, models["loud"]["rates"]["sound_per_second"])


def test_a_sound_beside_a_film_is_one_that_its_model_makes(client, rows):
    rows.server("both", serves=["film", "chime"])
    asked = {"model": "film", "sound": True}
    refused = client.post("/generate/video/v1", json=asked | {"prompt": "a purple idea"})
    assert (422, "$.prompt") == (refused.status_code, refused.json()["field"])
    assert refused.json()["detail"].startswith(
        "For `sound`: `prompt` must name something that chime makes: bell or rain"
    )
    assert 202 == client.post("/generate/video/v1", json=asked | {"prompt": "rain"}).status_code


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        (
            {"prompt": "a purple idea"},
            "prompt",
            "`prompt` must name something that chime makes: bell or rain, or choose listener",
        ),
        (
            {"prompt": "bells", "duration_seconds": 9},
            "duration_seconds",
            "`duration_seconds` must be at most 8 for chime, or choose listener",
        ),
        ({"prompt": "bells", "loop": 3}, "loop", "`loop` must be true or false, not a whole number."),
    ],
)
def test_a_sound_beyond_a_model_is_refused_with_the_rule(client, body, field, words):
    answer = client.post("/generate/sound/v1", json=body | {"model": "chime"})
    assert (422, f"$.{field}") == (answer.status_code, answer.json()["field"])
    assert answer.json()["detail"].startswith(words)


def test_a_sound_costs_its_seconds(client):
    answer = client.post("/generate/sound/v1", json={"model": "chime", "prompt": "chimes", "duration_seconds": 3})
    assert 1.5 == client.get(f"/jobs/v1/{answer.json()['job_id']}").json()["price_usd"]
    models = {model["id"]: model for model in client.get("/models/v1").json()["models"]}
    assert (["bell", "rain"], []) == (models["chime"]["vocabulary"], models["listener"]["vocabulary"])


def test_a_prompt_goes_to_the_model_that_can_make_it(client, rows):
    rows.server("gpu-2", serves=["chime", "listener"])
    made = [client.post("/generate/sound/v1", json={"prompt": prompt}).json() for prompt in ("bells", "a purple idea")]
    assert ["chime", "listener"] == [client.get(f"/jobs/v1/{one['job_id']}").json()["model"] for one in made]


@pytest.mark.parametrize(
    ("model", "lyrics", "words"),
    [
        ("player", "la", "`lyrics` is not supported by player; remove it, or choose singer"),
        ("singer", "la" * 6, "`lyrics` must have at most 10 characters for singer"),
    ],
)
def test_lyrics_are_for_a_model_that_sings_and_within_its_limit(client, model, lyrics, words):
    answer = client.post("/generate/music/v1", json={"prompt": "a tune", "model": model, "lyrics": lyrics})
    assert (422, "$.lyrics") == (answer.status_code, answer.json()["field"])
    assert answer.json()["detail"].startswith(words)


def test_instrumental_music_has_no_lyrics(client):
    answer = client.post("/generate/music/v1", json={"prompt": "a tune", "instrumental": True, "lyrics": "la"})
    assert (422, "$.lyrics") == (answer.status_code, answer.json()["field"])


def test_the_rules_are_listed(client):
    models = {model["id"]: model for model in client.get("/models/v1").json()["models"]}
    film, strict = models["film"], models["strict"]
    assert {"text-to-video": [0, 0], "image-to-video": [2, 2]} == film["inputs"]
    assert ([4.0, 8.0], ["image/jpeg"], 10_000_000) == tuple(
        film["limits"][name] for name in ("durations", "input_types", "max_input_bytes")
    )
    assert ("adapt", "refuse") == (film["unsupported"]["duration"], strict["unsupported"]["quality"])
