"""The same Idempotency-Key gives the same job, however often and however many at once."""

import asyncio

import httpx
import pytest
from sqlalchemy import func, select, text, update

from jobs.schema.tables import idempotency, jobs, tenants
from jobs.statements.queue.tenant_jobs import erase

ROUTE = "/generate/image/v1"
BODY = {"prompt": "a red circle"}


def post(client, key="k-1", body=BODY, **more):
    return client.post(ROUTE, json=body, headers={"Idempotency-Key": key}, **more)


def count(rows):
    return rows.scalar(select(func.count()).select_from(jobs))


def test_a_repeat_is_answered_with_the_first_job(client, server, rows):
    first, second = post(client), post(client)
    assert 202 == first.status_code == second.status_code
    assert first.json() == second.json()
    assert first.headers["Location"] == second.headers["Location"]
    assert (None, "true") == (first.headers.get("Idempotency-Replayed"), second.headers["Idempotency-Replayed"])
    assert 1 == count(rows)


def test_a_repeat_shows_how_the_job_stands_now(client, server, worker):
    job_id = post(client).json()["job_id"]
    worker.complete(worker.claim())
    repeated = post(client).json()
    assert (job_id, "completed") == (repeated["job_id"], repeated["status"])


def test_a_job_that_is_done_waits_for_no_server(client, server, worker, rows):
    post(client)
    worker.complete(worker.claim())
    rows.execute(text("DELETE FROM servers"))
    assert ("completed", None) == (post(client).json()["status"], post(client).json()["waiting_for"])


def test_a_repeat_with_another_body_is_refused(client, server, rows):
    post(client)
    answer = post(client, body={"prompt": "a blue circle"})
    problem = answer.json()
    assert (422, "idempotency_key_reused") == (answer.status_code, problem["code"])
    assert "header.Idempotency-Key" == problem["field"]
    assert 1 == count(rows)


def test_another_key_is_another_job(client, server, rows):
    assert post(client).json()["job_id"] != post(client, "k-2").json()["job_id"]
    assert 2 == count(rows)


def test_the_same_key_of_another_tenant_is_another_job(client, stranger, server, rows):
    assert post(client).json()["job_id"] != post(stranger).json()["job_id"]


def test_a_repeat_is_answered_before_any_quota(client, server, rows, tenant):
    first = post(client)
    rows.execute(update(tenants).values(max_waiting_jobs=1, budget_usd=0.0))
    assert 402 == post(client, "k-2").status_code
    assert first.json() == post(client).json()


def test_a_repeat_is_answered_though_no_server_is_left(client, server, rows):
    first = post(client)
    rows.execute(text("DELETE FROM servers"))
    again = post(client).json()
    assert first.json() == again | {"waiting_for": None}
    assert "no_server_for_model" == again["waiting_for"]["code"]


def test_a_refused_submit_leaves_the_key_free(client, rows):
    assert 503 == post(client).status_code
    rows.server()
    assert 202 == post(client).status_code


def test_a_key_is_free_again_after_a_day(client, server, rows):
    first = post(client)
    rows.execute(update(idempotency).values(created_at=func.now() - text("interval '25 hours'")))
    assert first.json()["job_id"] != post(client).json()["job_id"]


def test_the_key_of_a_deleted_job_does_not_bring_it_back(client, server, rows, tenant):
    rows.execute(erase(post(client).json()["job_id"], tenant))
    answer = post(client)
    assert (404, "unknown_job") == (answer.status_code, answer.json()["code"])
    assert 1 == count(rows)


async def submit_at_once(url, key, idempotency_keys):
    limits = httpx.Limits(max_connections=100)
    async with httpx.AsyncClient(base_url=url, headers={"X-API-Key": key}, timeout=60, limits=limits) as client:
        return await asyncio.gather(
            *(client.post(ROUTE, json=BODY, headers={"Idempotency-Key": each}) for each in idempotency_keys)
        )


@pytest.mark.long
async def test_a_hundred_at_once(api, key, server, rows):
    """A key each: a hundred jobs, and no two transactions wait for each other in a circle."""
    answers = await submit_at_once(api.url, key, [f"k-{number}" for number in range(100)])
    assert {202} == {answer.status_code for answer in answers}
    assert 100 == len({answer.json()["job_id"] for answer in answers}) == count(rows)
