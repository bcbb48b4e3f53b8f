"""/queue/v1: the queue by model, of one tenant or of all, with the reasons."""

import pytest
from sqlalchemy import text

from tests.support.service.api_server import api_server

ROUTE = "/queue/v1"


@pytest.fixture
def look(settings, rows, key):
    """What a key sees, of a process that has read nothing yet."""

    def read(with_key=key):
        with api_server(settings) as server, server.client(with_key) as client:
            answer = client.get(ROUTE)
            assert 200 == answer.status_code, answer.text
            return {model["model"]: model for model in answer.json()["models"]}

    return read


def test_an_empty_queue_has_no_models(look):
    assert {} == look()


@pytest.mark.long
def test_jobs_are_counted_by_model_with_their_reasons(look, create, rows, client):
    for _ in range(3):
        create(model="chaos")
    rows.execute(text("UPDATE jobs SET available_at = now() - interval '90 s'"))
    rows.execute(text("UPDATE jobs SET available_at = now() + interval '60 s' WHERE id = (SELECT min(id) FROM jobs)"))
    found = look()["chaos"]
    assert (3, 0, {"backoff": 1, "queue": 2}) == (found["waiting"], found["running"], found["reasons"])
    assert 90 <= found["oldest_seconds"] < 120
    assert (1, 1) == (found["serving"], found["taking"])


@pytest.mark.long
def test_it_says_why_nothing_takes_them(look, create, rows):
    create(model="chaos")
    rows.execute(text("UPDATE servers SET desired = 'cordoned'"))
    assert {"server_cordoned": 1} == look()["chaos"]["reasons"]
    rows.execute(text("UPDATE servers SET desired = 'active', state = 'store_away'"))
    found = look()["chaos"]
    assert ({"store_away": 1}, 1, 0) == (found["reasons"], found["serving"], found["taking"])
    rows.execute(text("UPDATE servers SET lease_until = now()"))
    found = look()["chaos"]
    assert ({"no_server_for_model": 1}, 0, 0) == (found["reasons"], found["serving"], found["taking"])


@pytest.mark.long
def test_jobs_of_a_paused_tenant_say_so(look, create, rows, client):
    create(model="chaos")
    assert 200 == client.post("/jobs/v1/pause").status_code
    assert (1, {"tenant_paused": 1}) == (look()["chaos"]["waiting"], look()["chaos"]["reasons"])
    rows.execute(text("UPDATE servers SET desired = 'cordoned'"))
    assert {"server_cordoned": 1} == look()["chaos"]["reasons"]


@pytest.mark.long
def test_a_job_of_a_server_that_is_away_says_so(look, create, rows, server):
    create(model="chaos", server_id=rows.scalar(text("SELECT server_id FROM servers")))
    rows.execute(text("UPDATE servers SET lease_until = now()"))
    assert {"server_offline": 1} == look()["chaos"]["reasons"]


@pytest.mark.long
def test_a_tenant_sees_its_own_and_an_operator_all(look, create, rows, settings, admin, stranger):
    create(model="chaos")
    assert {} == look(stranger.headers["X-API-Key"])
    assert {"chaos"} == look(admin.headers["X-API-Key"]).keys()


def test_a_reading_serves_all_who_look(client, create, rows):
    create(model="chaos")
    first = client.get(ROUTE).json()
    create(model="chaos")
    assert first == client.get(ROUTE).json()
