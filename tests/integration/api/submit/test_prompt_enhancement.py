"""Jobs whose prompt a text model writes anew, among servers of which not all have one."""

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
