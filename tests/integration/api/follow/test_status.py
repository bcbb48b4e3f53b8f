"""The status answer, from queued to each terminal state."""

from datetime import datetime, timedelta

import pytest

from core.errors.failures import GpuOutOfMemory
from core.ids import new_id
from jobs.job import JobError
from jobs.params.video import VideoParams
from jobs.schema.tables import jobs
from jobs.statements.queue.submit import Offer, new_job, submit
from tests.support.rows.rows import ARTIFACT
from tests.support.rows.statements import executed

ROUTE = "/generate/image/v1"


@pytest.mark.contract("C3", "C7", "C8")
def test_the_life_of_a_job(client, create, worker):
    job_id = create(seed=11)

    def status():
        answer = client.get(f"{ROUTE}/status/{job_id}")
        assert 200 == answer.status_code
        assert answer.json() == client.get(f"/jobs/v1/{job_id}").json()
        return answer.json()

    queued = status()
    assert (job_id, "queued", "image", "chaos", 11) == tuple(
        queued[name] for name in ("job_id", "status", "modality", "model", "seed")
    )
    assert (1, 0.1, 0, 0.0) == tuple(queued[n] for n in ("queue_position", "estimated_seconds", "attempt", "progress"))
    job = worker.claim()
    worker.progress(job, 0.25, "step", ["resized"])
    running = status()
    assert ("processing", 0.25, "step", "gpu-1", 1) == tuple(
        running[name] for name in ("status", "progress", "stage", "server_id", "attempt")
    )
    assert (None, ["resized"]) == (running["queue_position"], running["warnings"])
    assert 0.075 == running["estimated_seconds"]
    worker.complete(job, ARTIFACT)
    done = status()
    assert ("completed", 1.0, None, None) == tuple(
        done[name] for name in ("status", "progress", "stage", "estimated_seconds")
    )
    assert done["created_at"] < done["started_at"] < done["finished_at"]


@pytest.mark.contract("C10")
def test_a_completed_job_shows_its_outputs(client, create, worker):
    job_id = create()
    worker.complete(worker.claim(), ARTIFACT)
    answer = client.get(f"{ROUTE}/status/{job_id}").json()
    assert 1 == len(answer["outputs"])
    output = answer["outputs"][0]
    assert answer["result_url"] == output["url"]
    assert output["url"].startswith(f"{client.base_url}/o/{job_id}/0.webp?signature=")
    assert ("image/webp", 10, "ab", 8, None) == tuple(
        output[name] for name in ("media_type", "bytes", "sha256", "width", "height")
    )
    times = [datetime.fromisoformat(answer[name]) for name in ("started_at", "finished_at")]
    assert pytest.approx((times[1] - times[0]).total_seconds(), abs=0.001) == answer["processing_time_seconds"]


def test_a_failed_job_says_why(client, create, worker):
    job_id = create()
    worker.fail(worker.claim(), JobError.of(GpuOutOfMemory))
    answer = client.get(f"{ROUTE}/status/{job_id}").json()
    assert {"code": "gpu_out_of_memory", "message": GpuOutOfMemory.advice} == answer["error"]
    assert ("failed", None, []) == (answer["status"], answer["result_url"], answer["outputs"])


def test_places_in_the_queue(client, create):
    first, second, urgent, elsewhere = create(), create(), create(priority=9), create(model="chaos-two")
    places = {job_id: client.get(f"/jobs/v1/{job_id}").json()["queue_position"] for job_id in (first, second, urgent)}
    assert {urgent: 1, first: 2, second: 3} == places
    assert 1 == client.get(f"/jobs/v1/{elsewhere}").json()["queue_position"]


def test_a_place_beyond_a_thousand_is_not_counted(client, create, rows, tenant):
    job_id = create(priority=0)
    (row,) = rows.execute(jobs.select())
    ahead = [{**row._mapping, "id": new_id("job"), "priority": 9} for _ in range(1000)]
    with rows.engine.begin() as connection:
        connection.execute(jobs.insert(), ahead[:999])
    assert 1000 == client.get(f"/jobs/v1/{job_id}").json()["queue_position"]
    with rows.engine.begin() as connection:
        connection.execute(jobs.insert(), ahead[999:])
    assert "1000+" == client.get(f"/jobs/v1/{job_id}").json()["queue_position"]


@pytest.mark.parametrize("claimed", [False, True])
def test_32_a_poll_is_one_statement(client, create, worker, claimed):
    """The key, the row, and everything that the row does not say."""
    job_id = create()
    if claimed:
        worker.claim()
    with executed() as statements:
        client.get(f"{ROUTE}/status/{job_id}")
    assert 1 == len(statements), statements


def test_estimates_follow_what_the_last_jobs_took(client, create, rows, worker):
    for seconds in (1.0, 2.0, 30.0):
        create()
        job = worker.complete(worker.claim())
        rows.set(job, started_at=job.finished_at - timedelta(seconds=seconds))
    create()
    assert 4.0 == pytest.approx(client.get(f"/jobs/v1/{create()}").json()["estimated_seconds"])
    waiting = create(model="chaos-two")
    assert client.get(f"/jobs/v1/{waiting}").json()["estimated_seconds"] is None  # not served


def test_a_job_of_another_modality_is_not_under_this_route(client, rows, tenant):
    job_id = new_id("job")
    params = VideoParams(input_image="https://example.org/a.png")
    statement = submit(
        new_job(
            job_id=job_id,
            tenant=tenant,
            offers=[Offer("v")],
            params=params,
            seed=1,
            max_attempts=3,
            deadline_seconds=60.0,
        )
    )
    rows.execute(statement)
    assert "video" == client.get(f"/jobs/v1/{job_id}").json()["modality"]
    answer = client.get(f"{ROUTE}/status/{job_id}")
    assert (404, "unknown_job") == (answer.status_code, answer.json()["code"])


@pytest.mark.contract("F17")
def test_a_waiting_job_says_what_it_waits_for(client, create, worker):
    job_id = create()
    waiting = client.get(f"/jobs/v1/{job_id}").json()["waiting_for"]
    assert "queue" == waiting["code"]
    assert waiting["message"].endswith(".")
    elsewhere = create(model="chaos-two")
    assert "no_server_for_model" == client.get(f"/jobs/v1/{elsewhere}").json()["waiting_for"]["code"]
    worker.claim()
    assert client.get(f"/jobs/v1/{job_id}").json()["waiting_for"] is None
