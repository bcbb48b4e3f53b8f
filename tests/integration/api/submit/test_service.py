"""POST /generate/image/v1: answers to valid requests."""

import asyncio
import re

import httpx
import msgspec
import pytest
from redis import Redis

from jobs.doorbell import model_queue, server_queue
from jobs.job import JobStatus, job_from_row
from jobs.schema.tables import jobs
from jobs.statements import servers
from jobs.statements.queue.tenant_jobs import by_id
from tests.support.service.api_server import api_server
from tests.support.wait import until

ROUTE = "/generate/image/v1"


def stored(rows, job_id):
    return job_from_row(rows.execute(by_id(job_id))[0])


@pytest.mark.contract("C2", "C12", "C13")
def test_a_prompt_is_all_it_takes(client, server, rows):
    answer = client.post(ROUTE, json={"prompt": "a red circle on a blue background"})
    assert 202 == answer.status_code
    body = answer.json()
    assert re.fullmatch("job_[0-9a-f]{32}", body["job_id"])
    assert ("queued", "image", "chaos") == (body["status"], body["modality"], body["model"])
    assert f"{ROUTE}/status/{body['job_id']}" == body["status_url"] == answer.headers["Location"]
    assert f"/jobs/v1/{body['job_id']}/events" == body["events_url"]
    job = stored(rows, body["job_id"])
    assert "a red circle on a blue background" == job.params["prompt"]
    assert JobStatus.QUEUED is job.status


def test_the_defaults_of_the_contract(client, server, rows):
    params = stored(rows, client.post(ROUTE, json={"prompt": "a"}).json()["job_id"]).read_params()
    assert (1024, 1024, "webp") == (params.width, params.height, params.output_format)
    assert (None, None, -1) == (params.num_inference_steps, params.guidance_scale, params.seed)


def test_every_built_field_is_kept(client, server, rows):
    fields = {
        "prompt": "ein Kreis, ⭕",
        "negative_prompt": "squares",
        "width": 512,
        "height": 640,
        "num_inference_steps": 7,
        "guidance_scale": 3.5,
        "seed": 42,
        "output_format": "png",
        "callback_url": "https://example.org/hook",
        "server_id": "gpu-1",
        "pin": "prefer",
        "prefer_seconds": 12.5,
        "priority": 7,
        "deadline_seconds": 90,
        "model": "chaos-two",
    }
    job = stored(rows, client.post(ROUTE, json=fields).json()["job_id"])
    assert fields == {name: job.params[name] for name in fields}
    assert ("chaos-two", "gpu-1", 7, 42) == (job.model, job.server_id, job.priority, job.seed)
    assert "https://example.org/hook" == job.callback_url
    assert 90.0 == pytest.approx((job.deadline_at - job.created_at).total_seconds(), abs=1.0)
    assert 12.5 == pytest.approx((job.spill_at - job.created_at).total_seconds(), abs=1.0)


@pytest.mark.contract("F16")
def test_a_pin_is_strict_unless_it_says_otherwise(client, server, rows):
    job = stored(rows, client.post(ROUTE, json={"prompt": "a", "server_id": "gpu-1"}).json()["job_id"])
    assert ("gpu-1", None) == (job.server_id, job.spill_at)


@pytest.mark.contract("C18")
def test_a_random_seed_is_drawn_once_and_shown(client, server, rows):
    answers = [client.post(ROUTE, json={"prompt": "a"}).json() for _ in range(5)]
    seeds = {answer["seed"] for answer in answers}
    assert 5 == len(seeds)
    assert all(0 <= seed < 2**31 for seed in seeds)
    status = client.get(answers[0]["status_url"]).json()
    assert answers[0]["seed"] == status["seed"] == stored(rows, answers[0]["job_id"]).seed


@pytest.mark.contract("C1")
@pytest.mark.parametrize("scheme", ["X-API-Key", "Bearer"])
def test_both_ways_to_show_a_key(api, key, server, scheme):
    headers = {"X-API-Key": key} if scheme == "X-API-Key" else {"Authorization": f"Bearer {key}"}
    with api.client() as client:
        assert 202 == client.post(ROUTE, json={"prompt": "a"}, headers=headers).status_code


@pytest.mark.parametrize(
    ("fields", "queue"),
    [
        ({}, model_queue("chaos")),
        ({"server_id": "gpu-1"}, server_queue("gpu-1")),
        ({"model": "chaos-two"}, model_queue("chaos-two")),
    ],
)
def test_the_doorbell_rings_where_the_job_can_run(client, server, broker_url, fields, queue):
    assert 202 == client.post(ROUTE, json={"prompt": "a"} | fields).status_code
    with Redis.from_url(broker_url) as broker:
        until(lambda: broker.llen(queue) == 1, what="the bell")


def test_the_default_model_is_the_first_served_one(client, rows):
    rows.server("gpu-2", serves=["chaos-two"])
    assert "chaos-two" == client.post(ROUTE, json={"prompt": "a"}).json()["model"]
    rows.server("gpu-1", serves=["chaos", "chaos-two"])
    assert "chaos" == client.post(ROUTE, json={"prompt": "a"}).json()["model"]


def test_the_default_model_of_a_pinned_job_fits_its_server(client, rows):
    rows.server("gpu-1", serves=["chaos"])
    rows.server("gpu-2", serves=["chaos-two"])
    assert "chaos-two" == client.post(ROUTE, json={"prompt": "a", "server_id": "gpu-2"}).json()["model"]


def test_models_of_a_live_preferred_server_go_first(client, rows):
    def chosen():
        body = {"prompt": "a", "server_id": "gpu-2", "pin": "prefer"}
        return client.post(ROUTE, json=body).json()["model"]

    rows.server("gpu-1", serves=["chaos"])
    preferred = rows.server("gpu-2", serves=["chaos-two"])
    assert "chaos-two" == chosen()
    rows.execute(servers.leave("gpu-2", preferred.incarnation))
    assert "chaos" == chosen()
    rows.server("gpu-2", serves=["chaos-speech"])
    assert "chaos" == chosen()  # it has no model for pictures, and is only preferred


def test_a_named_model_is_accepted_though_not_served_yet(client, rows):
    assert 202 == client.post(ROUTE, json={"prompt": "a", "model": "chaos"}).status_code


@pytest.mark.contract("C6")
def test_a_job_can_be_pinned_to_a_server(client, rows):
    first, second = rows.server("gpu-1"), rows.server("gpu-2")
    job_id = client.post(ROUTE, json={"prompt": "a", "server_id": "gpu-2"}).json()["job_id"]
    assert "gpu-2" == client.get(f"/jobs/v1/{job_id}").json()["server_id"]
    assert rows.claim(first) is None
    assert job_id == rows.claim(second).id


@pytest.mark.long
async def test_a_burst_waits_rather_than_being_refused(settings, key, server, rows):
    """Many more at once than connections, and longer than a timeout: busy is not away."""
    # The client opens a hundred connections before it sends the first head, which takes a busy machine its time.
    narrow = msgspec.structs.replace(settings, db_pool=1, db_timeout=1.0, head_seconds=60.0)
    with api_server(narrow) as api:
        async with httpx.AsyncClient(base_url=api.url, headers={"X-API-Key": key}, timeout=60) as client:
            answers = await asyncio.gather(*(client.post(ROUTE, json={"prompt": f"a {n}"}) for n in range(300)))
    assert {202} == {answer.status_code for answer in answers}
    assert 300 == len(rows.execute(jobs.select()))
