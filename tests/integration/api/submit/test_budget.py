"""A budget under load: submits at the same moment, ends of all kinds, and the budget is exactly used up."""

import asyncio
from collections import Counter

import httpx
import pytest
from sqlalchemy import func, select

from jobs.job import JobError
from jobs.schema.tables import jobs, tenants
from jobs.statements.api_keys import set_budget
from jobs.statements.queue import claimed

ROUTE = "/generate/image/v1"
MODEL = "chaos-edit"
PRICE = 0.01


@pytest.fixture
def submit_at_once(api, key):
    """Submits so many jobs with a price at the same moment; how often each status was answered."""

    async def submit(number):
        limits = httpx.Limits(max_connections=100)
        async with httpx.AsyncClient(base_url=api.url, headers={"X-API-Key": key}, timeout=60, limits=limits) as client:
            posts = [client.post(ROUTE, json={"prompt": "a", "model": MODEL}) for _ in range(number)]
            return Counter(answer.status_code for answer in await asyncio.gather(*posts))

    return submit


async def test_30_submits_at_once_use_a_budget_up_exactly(submit_at_once, rows, tenant, full: bool):
    """At full size 500 against a budget for one hundred; then some jobs end in every way, and others follow."""
    submits, places = (500, 100) if full else (40, 8)
    rows.execute(set_budget(tenant, round(places * PRICE, 6)))
    claimant = rows.server(serves=[MODEL])

    def money():
        return tuple(rows.execute(select(tenants.c.spent_usd, tenants.c.reserved_usd).where(tenants.c.id == tenant))[0])

    assert {202: places, 402: submits - places} == await submit_at_once(submits)
    assert (0.0, pytest.approx(places * PRICE)) == money()
    for _ in range(places // 4):
        rows.complete(rows.claim(claimant))
        failed = rows.claim(claimant)
        rows.change(claimed.fail(failed.id, failed.fence, JobError("pipeline_failed", "oops")))
        rows.cancel(rows.claim(claimant))
    freed = 2 * (places // 4)
    assert {202: freed, 402: submits - freed} == await submit_at_once(submits)
    assert places * PRICE == pytest.approx(sum(money()))
    assert places + freed == rows.scalar(select(func.count()).select_from(jobs))
    while (job := rows.claim(claimant)) is not None:
        rows.complete(job)
    assert (pytest.approx(places * PRICE), 0.0) == money()
    assert {402: 1} == await submit_at_once(1)


def test_a_refusal_says_what_to_do(client, rows, tenant):
    rows.execute(set_budget(tenant, 0.015))
    assert 202 == client.post(ROUTE, json={"prompt": "a", "model": MODEL}).status_code
    refused = client.post(ROUTE, json={"prompt": "a", "model": MODEL})
    assert (402, "budget_exhausted") == (refused.status_code, refused.json()["code"])
    assert "reserved for its unfinished jobs" in refused.json()["detail"]
    assert 202 == client.post(ROUTE, json={"prompt": "a", "model": "chaos"}).status_code  # free of charge


def test_a_request_with_media_is_refused_before_it_is_stored(client, rows, tenant, store):
    rows.execute(set_budget(tenant, 0.005))
    body = {"prompt": "a", "model": MODEL, "input_image": "data:image/png;base64,iVBORw0KGgo="}
    assert 402 == client.post(ROUTE, json=body).status_code
    assert [] == list(store.keys())


def test_a_deleted_job_returns_its_reservation(client, rows, tenant):
    rows.execute(set_budget(tenant, PRICE))
    for _ in range(2):
        accepted = client.post(ROUTE, json={"prompt": "a", "model": MODEL})
        assert 202 == accepted.status_code
        assert 204 == client.delete(f"/jobs/v1/{accepted.json()['job_id']}").status_code
