"""OpenAI's routes on an API whose worker the test plays: repeats, deadlines, refusals, keys."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from jobs.job import JobError
from jobs.statements.queue.tenant_jobs import listing
from tests.support.rows.rows import ARTIFACT
from tests.support.service.api_server import api_server, make_key

IMAGES, EDITS = "/openai/v1/images/generations", "/openai/v1/images/edits"
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


@pytest.fixture(scope="module")
def running(settings):
    with api_server(msgspec.structs.replace(settings, sync_seconds=0.3)) as server:
        yield server


def paint(client, attempt=None, key=None, **fields):
    headers = {} if attempt is None else {"x-stainless-retry-count": str(attempt)}
    headers |= {"Idempotency-Key": key} if key else {}
    return client.post(IMAGES, json={"prompt": "a red circle", "response_format": "url"} | fields, headers=headers)


def jobs_of(rows, tenant):
    with rows.engine.connect() as connection:
        return connection.execute(listing(tenant, limit=100)).all()


def test_what_takes_long_is_to_be_asked_for_again(client, server, worker, rows, tenant):
    first = paint(client, attempt=0)
    assert (504, "still_running") == (first.status_code, first.json()["error"]["code"])
    assert ("true", "1") == (first.headers["x-should-retry"], first.headers["retry-after"])
    worker.complete(worker.claim(), ARTIFACT)
    again = paint(client, attempt=1)
    assert 200 == again.status_code, again.text
    (job,) = jobs_of(rows, tenant)
    assert job.id == again.headers["x-atelier-job"]
    assert f"/o/{job.id}/0." in again.json()["data"][0]["url"]


def test_only_a_repeat_of_the_same_body_and_key_is_one(client, server, api, rows, settings, tenant):
    for attempt in (0, 1, 2, None, 0):
        paint(client, attempt)
    assert 3 == len(jobs_of(rows, tenant))
    paint(client, attempt=1, prompt="a blue circle")
    with api.client(make_key(rows, settings, tenant)) as another:
        paint(another, attempt=1)
    assert 5 == len(jobs_of(rows, tenant))


def test_repeats_at_the_same_time_make_one_job(client, server, rows, tenant):
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: paint(client, attempt=1), range(4)))
    assert {504} == {answer.status_code for answer in answers}
    assert 1 == len(jobs_of(rows, tenant))


def test_a_repeat_after_a_quarter_of_an_hour_is_new(client, server, rows, tenant):
    paint(client, attempt=0)
    with rows.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE jobs SET created_at = created_at - interval '901 seconds'")
    paint(client, attempt=1)
    assert 2 == len(jobs_of(rows, tenant))


def test_an_idempotency_key_counts_always(client, server, rows, tenant):
    for attempt in (0, 0, 1):
        paint(client, attempt, key="k")
    assert 1 == len(jobs_of(rows, tenant))
    changed = paint(client, key="k", prompt="another")
    assert (400, "idempotency_key_reused") == (changed.status_code, changed.json()["error"]["code"])


def test_repeats_of_a_form_have_another_boundary(client, all_models, rows, tenant):
    for attempt in (0, 1):
        client.post(
            EDITS,
            data={"prompt": "in velvet", "model": "chaos-edit"},
            files={"image": ("a.png", PNG)},
            headers={"x-stainless-retry-count": str(attempt)},
        )
    (job,) = jobs_of(rows, tenant)
    assert job.params["input_image"].startswith("inp_")
    with rows.engine.connect() as connection:
        assert 1 == len(connection.exec_driver_sql("SELECT id FROM uploads").all())


def test_a_group_of_jobs_is_answered_together(client, server, worker, rows, tenant):
    paint(client, attempt=0, n=10)
    assert {8, 2} == {job.params["num_images"] for job in jobs_of(rows, tenant)}
    for _ in range(2):
        worker.complete(worker.claim(), ARTIFACT)
    again = paint(client, attempt=1, n=10)
    assert (200, 2, 2) == (again.status_code, len(again.json()["data"]), len(jobs_of(rows, tenant)))


def test_a_stream_is_an_event_for_each_image(client, server, worker, store, tmp_path):
    paint(client, attempt=0, stream=True)
    (tmp_path / "image").write_bytes(PNG)
    store.put(ARTIFACT.key, tmp_path / "image", "image/webp")
    image = msgspec.structs.replace(ARTIFACT, bytes=len(PNG), metadata={"width": 8, "height": 4})
    worker.complete(worker.claim(), image, image)
    answer = paint(client, attempt=1, stream=True)
    assert (200, "text/event-stream") == (answer.status_code, answer.headers["content-type"].partition(";")[0])
    events = [json.loads(part.removeprefix("data: ")) for part in answer.text.strip().split("\n\n")]
    assert [("image_generation.completed", PNG, "8x4")] * 2 == [
        (event["type"], base64.b64decode(event["b64_json"]), event["size"]) for event in events
    ]


@pytest.mark.parametrize(
    ("code", "status"),
    [("pipeline_failed", 500), ("input_unreadable", 400), ("mask_of_other_size", 400), ("empty_mask", 400)],
)
def test_a_failed_job_is_not_to_be_tried_again(client, server, worker, code, status):
    paint(client, attempt=0)
    worker.fail(worker.claim(), JobError(code, "It failed."))
    failed = paint(client, attempt=1)
    assert (status, "false") == (failed.status_code, failed.headers["x-should-retry"])
    assert (code, "It failed.") == (failed.json()["error"]["code"], failed.json()["error"]["message"])


@pytest.mark.parametrize(
    ("body", "status", "code", "param"),
    [
        ({}, 400, "missing_field", "prompt"),
        ({"prompt": 3}, 400, "wrong_type", "prompt"),
        ({"prompt": "a", "n": 11}, 400, "out_of_range", "n"),
        ({"prompt": "a", "size": "big"}, 400, "out_of_range", "size"),
        ({"prompt": "a", "quality": "best"}, 400, "out_of_range", "quality"),
        ({"prompt": "a", "frames": 4}, 400, "unknown_field", "frames"),
        ({"prompt": "a", "background": "transparent"}, 400, "not_supported_yet", "background"),
        ({"prompt": "a", "model": "dall-e-9"}, 404, "model_not_found", "model"),
    ],
)
def test_a_refusal_is_in_openais_form(client, server, body, status, code, param):
    answer = client.post(IMAGES, json=body)
    error = answer.json()["error"]
    assert (status, "invalid_request_error", code, param) == (
        answer.status_code,
        error["type"],
        error["code"],
        error["param"],
    )
    assert {"error"} == set(answer.json())


def test_a_mask_or_a_missing_picture_is_refused(client, all_models):
    picture = {"image": ("a.png", PNG)}
    fields = {"prompt": "in velvet", "model": "chaos-edit"}
    masked = client.post(EDITS, data=fields, files=picture | {"mask": ("m.png", PNG)})
    assert (400, "not_supported_by_model", "mask") == (masked.status_code, *_code_and_param(masked))
    missing = client.post(EDITS, files={"prompt": (None, "in velvet")})
    assert (400, "missing_field", "image") == (missing.status_code, *_code_and_param(missing))
    other = client.post(EDITS, data={"prompt": "in velvet"}, files={"image": ("a.png", b"not a picture")})
    assert (400, "unsupported_media", "image") == (other.status_code, *_code_and_param(other))


def test_refusals_before_a_route_are_in_openais_form(api, client, rows):
    with api.client() as anonymous:
        refused = paint(anonymous)
    assert (401, "invalid_api_key") == (refused.status_code, refused.json()["error"]["code"])
    unserved = paint(client)
    assert (503, "no_model_available", "false") == (
        unserved.status_code,
        unserved.json()["error"]["code"],
        unserved.headers["x-should-retry"],
    )
    for path in ("/openai/v1/none", "/v1/images/none"):
        assert (404, "not_found") == (client.get(path).status_code, client.get(path).json()["error"]["code"])
    assert 405 == client.delete("/v1/models/chaos").status_code
    text = client.post("/v1/completions", json={"model": "gpt-5", "prompt": "Hello"})
    assert (404, "model_not_found") == (text.status_code, text.json()["error"]["code"])


def _code_and_param(answer):
    return answer.json()["error"]["code"], answer.json()["error"]["param"]
