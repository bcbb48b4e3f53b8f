"""Two tenants: objects of another tenant are answered exactly as unknown ones."""

import pytest
from sqlalchemy import update

from jobs.schema.tables import tenants
from tests.support.rows.rows import ARTIFACT

UNKNOWN = "job_" + "0" * 32

ROUTES = [
    ("GET", "/jobs/v1/{}"),
    ("DELETE", "/jobs/v1/{}"),
    ("POST", "/jobs/v1/{}/cancel"),
    ("GET", "/jobs/v1/{}/events"),
    ("GET", "/generate/image/v1/status/{}"),
]


def shape(answer):
    """Status, headers and body, without what differs between any two answers."""
    passing = {"date", "x-request-id"}
    headers = {name: value for name, value in answer.headers.items() if name not in passing}
    body = answer.content.replace(answer.headers["X-Request-Id"].encode(), b"-")
    return answer.status_code, headers, body


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_22_a_foreign_id_answers_as_an_unknown_one(stranger, create, client, method, path):
    job_id = create()
    foreign, unknown = stranger.request(method, path.format(job_id)), stranger.request(method, path.format(UNKNOWN))
    assert 404 == foreign.status_code
    assert shape(unknown) == shape(foreign)
    assert "queued" == client.get(f"/jobs/v1/{job_id}").json()["status"]


@pytest.mark.long
@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_deleted_id_answers_as_an_unknown_one(client, create, method, path):
    job_id = create()
    assert 204 == client.delete(f"/jobs/v1/{job_id}").status_code
    assert shape(client.request(method, path.format(UNKNOWN))) == shape(client.request(method, path.format(job_id)))


def test_a_list_has_only_the_callers_jobs(client, stranger, create):
    job_id = create()
    assert [job_id] == [job["job_id"] for job in client.get("/jobs/v1").json()["jobs"]]
    assert [] == stranger.get("/jobs/v1").json()["jobs"]


def test_a_list_cursor_of_another_tenant_opens_nothing(client, stranger, create):
    for _ in range(2):
        create()
    cursor = client.get("/jobs/v1", params={"limit": 1}).json()["next_cursor"]
    assert [] == stranger.get("/jobs/v1", params={"cursor": cursor}).json()["jobs"]


def test_servers_do_not_tell_whose_job_they_run(stranger, create, rows, server, client):
    job_id = create()
    assert job_id not in stranger.get("/servers/v1").text


def test_the_number_of_waiting_jobs_is_the_tenants_own(client, stranger, create, rows, tenant):
    rows.execute(update(tenants).where(tenants.c.id == tenant).values(max_waiting_jobs=2))
    create()
    create()
    answer = client.post("/generate/image/v1", json={"prompt": "a"})
    assert (429, "too_many_jobs") == (answer.status_code, answer.json()["code"])
    assert int(answer.headers["Retry-After"]) > 0
    assert 202 == stranger.post("/generate/image/v1", json={"prompt": "a"}).status_code


def test_a_finished_job_makes_room(client, create, rows, tenant, worker):
    rows.execute(update(tenants).where(tenants.c.id == tenant).values(max_waiting_jobs=1))
    create()
    worker.complete(worker.claim(), ARTIFACT)
    create()


@pytest.mark.contract("C11")
def test_a_budget_is_shown_and_ends(client, create, rows, tenant, worker):
    assert client.get(f"/jobs/v1/{create()}").json()["balance_remaining_usd"] is None
    rows.execute(update(tenants).where(tenants.c.id == tenant).values(budget_usd=10.0, spent_usd=7.75))
    job_id = create()
    assert 2.25 == client.get(f"/jobs/v1/{job_id}").json()["balance_remaining_usd"]
    assert 2.25 == client.get("/jobs/v1").json()["jobs"][0]["balance_remaining_usd"]
    rows.execute(update(tenants).where(tenants.c.id == tenant).values(spent_usd=10.0))
    answer = client.post("/generate/image/v1", json={"prompt": "a"})
    assert (402, "budget_exhausted") == (answer.status_code, answer.json()["code"])
