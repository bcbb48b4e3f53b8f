"""/estimates/v1: what a job would take and cost, by its history, by the servers and by the catalog."""

import math
import random
import statistics

import pytest
from sqlalchemy import func, select, text, update

from jobs.job import DeviceTime
from jobs.schema.tables import jobs, servers, tenants
from jobs.statements.queue import claimed
from tests.support.service.api_server import make_key

ROUTE = "/estimates/v1"
PICTURE = {"modality": "image", "prompt": "a red circle"}
URL = "https://shop.example/chair.jpg"
SIGMA = math.log(2) / statistics.NormalDist().inv_cdf(0.95)
"""Of a simulated pipeline whose p95 is twice its median."""


@pytest.fixture
def estimate(client):
    """The estimate of a picture, with other fields."""

    def ask(**fields):
        answer = client.post(ROUTE, json=PICTURE | fields)
        assert 200 == answer.status_code, answer.text
        return answer.json()

    return ask


@pytest.fixture
def end(rows, tenant, server):
    """Record a job that took so long, by the statements of submit, claim and commit."""

    def record(seconds, load=0.0, **params):
        rows.submit(tenant, **params)
        job = rows.claim(server)
        used = DeviceTime(gpu_seconds=seconds, load_seconds=load)
        rows.execute(claimed.commit(job.id, job.fence, artifacts=[], warnings=[], cost=0.0, used=used))
        rows.set(job, started_at=func.now() - text(f"interval '{seconds + load} s'"), finished_at=func.now())

    return record


def refused(answer, status, code, field=None):
    problem = answer.json()
    assert (status, code, field) == (answer.status_code, problem["code"], problem.get("field")), problem
    return problem["detail"]


@pytest.mark.long
def test_after_fifty_jobs_the_next_fifty_are_as_estimated(rows, estimate, end):
    """Times of a simulated pipeline: lognormal, with a median of 3 s and a p95 of 6 s."""
    draw = random.Random(18)
    for _ in range(50):
        end(3.0 * draw.lognormvariate(0, SIGMA))
    found = estimate()
    p50, p95 = found["run"].values()
    assert ("like", "high", 50) == (found["basis"], found["confidence"], found["sample_size"])
    assert p95 / p50 <= 3
    truth = [3.0 * draw.lognormvariate(0, SIGMA) for _ in range(50)]
    assert 45 <= sum(p50 / 2 <= seconds <= 1.5 * p95 for seconds in truth)
    assert 50 == rows.scalar(select(func.count()).select_from(jobs)), "an estimate starts no job"


@pytest.mark.contract("F12")
def test_the_parts_are_wait_load_and_run(rows, estimate, end, server, tenant):
    rows.execute(update(servers).values(resident=["chaos"]))
    for _ in range(10):
        end(4.0)
    at_once = estimate()
    exactly = {"p50_seconds": 4.0, "p95_seconds": 4.0}
    assert (exactly, exactly) == (at_once["run"], at_once["total"])
    assert ("gpu-1", "cpu", True, None) == tuple(
        at_once[name] for name in ("server_id", "device", "model_loaded", "waiting_for")
    )
    rows.submit(tenant)
    running = rows.report(rows.claim(server), 0.5)
    rows.execute(update(servers).values(current_job=running.id, resident=[]))
    for _ in range(2):
        rows.submit(tenant)
    rows.submit(tenant, priority=1)
    waits = estimate()
    assert (2, "queue", None) == (waits["jobs_ahead"], waits["waiting_for"]["code"], waits["server_id"])
    assert 10.0 == waits["wait"]["p50_seconds"], "half a job and two others"
    assert waits["load"]["p50_seconds"] == 0.0, "a model without weights"
    assert 14.0 == waits["total"]["p50_seconds"]
    assert (0, "server_busy", 2.0) == (
        (urgent := estimate(priority=9))["jobs_ahead"],
        urgent["waiting_for"]["code"],
        urgent["wait"]["p50_seconds"],
    )


def test_loading_is_estimated_where_the_model_is_not_in_memory(rows, estimate, end):
    for load in (20.0, 0.0, 0.0, 0.0, 0.0):
        end(1.0, load)
    cold = estimate()
    assert (20.0, 1.0, 21.0, False) == (
        *(cold[part]["p50_seconds"] for part in ("load", "run", "total")),
        cold["model_loaded"],
    )
    rows.execute(update(servers).values(resident=["chaos"]))
    assert {"p50_seconds": 0.0, "p95_seconds": 0.0} == estimate()["load"]


def test_before_there_is_history_the_catalog_says_it(rows, client, all_models):
    body = PICTURE | {"model": "chaos-edit", "num_images": 2}
    found = client.post(ROUTE, json=body).json()
    assert ("catalog", "none", 0) == (found["basis"], found["confidence"], found["sample_size"])
    assert {"p50_seconds": 0.2, "p95_seconds": 0.4} == found["run"]
    made = client.post("/generate/image/v1", json={name: body[name] for name in body if name != "modality"}).json()
    assert 0.02 == found["price_usd"] == client.get(f"/jobs/v1/{made['job_id']}").json()["price_usd"]
    assert (2.0, None) == (found["credits"], found["balance_remaining_usd"])
    assert 0.2 == client.get(f"/jobs/v1/{made['job_id']}").json()["estimated_seconds"], "by the same figure"


def test_other_sizes_are_scaled(estimate, end, server):
    for _ in range(8):
        end(8.0, width=1024, height=1024)
    found = estimate(width=512, height=512)
    assert (2.0, "scaled", "low", 8) == (
        found["run"]["p50_seconds"],
        *(found[name] for name in ("basis", "confidence", "sample_size")),
    )


@pytest.mark.parametrize(
    ("values", "code"),
    [({"desired": "cordoned"}, "server_cordoned"), ({"state": "store_away"}, "store_away")],
)
def test_without_a_server_the_reason_is_said(rows, estimate, server, values, code):
    rows.execute(update(servers).values(**values))
    found = estimate()
    assert (None, None, code) == (found["wait"], found["total"], found["waiting_for"]["code"])
    assert found["run"]["p50_seconds"] > 0


def test_a_paused_queue_and_an_offline_server_start_nothing(rows, estimate, server):
    rows.server("gone", lease_seconds=-1.0)
    assert "server_offline" == estimate(server_id="gone")["waiting_for"]["code"]
    rows.execute(update(tenants).values(paused_at=func.now()))
    found = estimate()
    assert ("tenant_paused", None) == (found["waiting_for"]["code"], found["total"])


def test_media_are_not_read(rows, client, all_models):
    cutout = {"modality": "remove-background", "input_image": URL}
    assert 200 == client.post(ROUTE, json=cutout).status_code
    assert 200 == client.post(ROUTE, json={"modality": "remove-background", "image_url": "data:,"}).status_code
    assert [] == rows.execute(text("SELECT FROM inputs"))


@pytest.mark.parametrize(
    ("wrong", "status", "code", "field"),
    [
        ({"width": 7}, 422, "out_of_range", "$.width"),
        ({"nonsense": 1}, 422, "unknown_field", "$.nonsense"),
        ({"modality": "smell"}, 422, "out_of_range", "$.modality"),
        ({"modality": None}, 422, "missing_field", "$.modality"),
        ({"modality": "remove-background"}, 422, "unknown_field", "$.prompt"),
        ({"model": "nowhere"}, 422, "unknown_model", "$.model"),
        ({"server_id": "x"}, 404, "unknown_server", "$.server_id"),
        ({"profile_id": "prf_1"}, 422, "no_such_profile", "$.profile_id"),
        ({"input_image": "http://10.0.0.1/a.png", "model": "chaos-edit"}, 422, "forbidden_url", "$.input_image"),
    ],
)
def test_what_a_submit_refuses_is_refused(client, all_models, wrong, status, code, field):
    refused(client.post(ROUTE, json=PICTURE | wrong), status, code, field)


def test_a_picture_is_named_as_it_is_documented(client, all_models):
    body = {"modality": "remove-background", "input_image": "nonsense"}
    assert "`input_image`" in refused(client.post(ROUTE, json=body), 422, "invalid_request", "$.input_image")


def test_a_key_that_may_only_read_may_ask(api, rows, settings, tenant, server):
    with api.client(make_key(rows, settings, tenant, scopes=["jobs:read"])) as reader:
        assert 200 == reader.post(ROUTE, json=PICTURE).status_code
    with api.client(make_key(rows, settings, tenant, scopes=["models:read"])) as other:
        refused(other.post(ROUTE, json=PICTURE), 403, "forbidden")
