"""Jobs that need a model beside their own, among servers of which not all have one."""

import pytest

from jobs.statements.servers import ServerFacts, desire, heartbeat
from tests.support.rows.rows import MODEL

ROUTE = "/generate/image/v1"
BOTH = (MODEL, "chaos-text")


@pytest.fixture
def submit(client, rows):
    """Submit a job that enhances its prompt; the name of the server in its row."""

    def send(**fields):
        answer = client.post(ROUTE, json={"prompt": "a", "enhance_prompt": True, **fields})
        assert 202 == answer.status_code, answer.text
        return client.get(f"{ROUTE}/status/{answer.json()['job_id']}").json()["server_id"]

    return send


@pytest.mark.contract("C19")
@pytest.mark.parametrize("fields", [{}, {"model": MODEL}, {"server_id": "gpu-1"}])
def test_it_is_refused_where_no_server_has_both(client, rows, server, fields):
    rows.server("gpu-texts", serves=["chaos-text"])
    refused = client.post(ROUTE, json={"prompt": "a", "enhance_prompt": True, **fields})
    body = refused.json()
    assert (422, "no_capable_model", "$.enhance_prompt") == (refused.status_code, body["code"], body["field"])
    assert f"a model of `text` on a server of {MODEL}" in body["detail"]


def test_any_server_may_have_it_where_all_have_both(rows, submit):
    for name in ("a", "b"):
        rows.server(name, serves=BOTH)
    assert submit() is None
    assert "b" == submit(server_id="b")


def test_it_goes_to_one_that_has_both(rows, server, submit):
    rows.server("both", serves=BOTH)
    rows.server("cordoned", serves=BOTH)
    rows.execute(desire("cordoned", "cordoned"))
    assert "both" == submit()
    assert "both" == submit(server_id="gpu-1", pin="prefer")


def test_a_dedicated_server_and_a_remote_backend_do_not_count(client, rows, server):
    for name, facts in (("own", {"dedicated": True}), ("far", {"backend": {"kind": "openai"}})):
        claimant = rows.server(name, serves=BOTH)
        rows.execute(_changed(name, claimant.incarnation, facts))
    assert 422 == client.post(ROUTE, json={"prompt": "a", "enhance_prompt": True}).status_code


def _changed(name, incarnation, facts):
    changed = ServerFacts(state="ready", device="cpu", serves=BOTH)
    return heartbeat(name, incarnation, changed, lease_seconds=600.0).values(**facts)


def test_a_repeat_with_the_same_key_is_the_same_job(client, rows):
    rows.server("both", serves=BOTH)
    headers, body = {"Idempotency-Key": "k"}, {"prompt": "a", "enhance_prompt": True}
    first, second = (client.post(ROUTE, json=body, headers=headers).json()["job_id"] for _ in range(2))
    assert first == second


def test_a_chain_may_have_one(client, rows):
    rows.server("both", serves=BOTH)
    steps = [{"modality": "image", "prompt": "a", "enhance_prompt": True}]
    assert 202 == client.post("/chains/v1", json={"steps": steps}).status_code
    steps[0]["server_id"] = "both"
    assert 202 == client.post("/chains/v1", json={"steps": steps}).status_code


FILM, FILM_ROUTE = "chaos-video-two", "/generate/video/v1"
SOUNDS = (FILM, "chaos-sound")


@pytest.mark.contract("B10")
def test_a_silent_film_gets_its_sound_where_both_are(client, rows):
    rows.server("films", serves=[FILM])
    rows.server("both", serves=SOUNDS)
    body = {"model": FILM, "prompt": "rain"}
    silent, loud = (client.post(FILM_ROUTE, json=body | {"sound": sound}).json()["job_id"] for sound in (False, True))
    assert [None, "both"] == [client.get(f"/jobs/v1/{each}").json()["server_id"] for each in (silent, loud)]


def test_a_silent_film_is_refused_without_a_sound_model(client, rows):
    rows.server("films", serves=[FILM])
    rows.server("sounds", serves=["chaos-sound"])
    answer = client.post(FILM_ROUTE, json={"model": FILM, "prompt": "rain", "sound": True})
    problem = answer.json()
    assert (422, "no_capable_model", "$.sound") == (answer.status_code, problem["code"], problem["field"])
    assert f"`sound` needs a model of `sound` on a server of {FILM}" in problem["detail"]


def test_the_default_is_one_that_has_it_beside(client, rows):
    """The first of the catalog can be made nowhere with sound."""
    rows.server("films", serves=["chaos-video", FILM])
    rows.server("both", serves=SOUNDS)
    answer = client.post(FILM_ROUTE, json={"prompt": "rain", "sound": True, "input_image": "https://example.org/a.png"})
    assert (202, FILM) == (answer.status_code, client.get(f"/jobs/v1/{answer.json()['job_id']}").json()["model"])


def test_a_sound_and_a_better_prompt_are_on_one_server(client, rows):
    body = {"model": FILM, "prompt": "rain", "sound": True, "enhance_prompt": True}
    rows.server("texts", serves=[FILM, "chaos-text"])
    rows.server("sounds", serves=SOUNDS)
    assert 422 == client.post(FILM_ROUTE, json=body).status_code
    rows.server("all", serves=[*SOUNDS, "chaos-text"])
    answer = client.post(FILM_ROUTE, json=body)
    assert "all" == client.get(f"/jobs/v1/{answer.json()['job_id']}").json()["server_id"]
