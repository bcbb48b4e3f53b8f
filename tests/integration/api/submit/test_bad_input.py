"""Bad input: a problem with a stable code, the field's path and a sentence that says what to do; nothing inserted."""

import json
import re

import msgspec
import pytest

from core.signing import new_key
from jobs.schema.tables import api_keys, idempotency, jobs
from jobs.statements.api_keys import revoke_key
from tests.support.service.api_server import api_server, make_key

ROUTE = "/generate/image/v1"
PICTURE = "https://example.org/a.png"
GOOD = {"prompt": "a red circle"}


@pytest.fixture(autouse=True)
def _nothing_is_inserted(rows):
    yield
    assert [] == rows.execute(jobs.select())
    assert [] == rows.execute(idempotency.select())


def problem(answer, status, code, field=None):
    assert "application/problem+json" == answer.headers["Content-Type"], answer.text
    body = answer.json()
    assert (status, status, code, field) == (answer.status_code, body["status"], body["code"], body.get("field"))
    assert f"/problems/{code}" == body["type"]
    assert answer.headers["X-Request-Id"] == body["request_id"]
    assert body["title"]
    assert body["detail"][-1] in ".?"
    assert {"type", "title", "status", "detail", "code", "request_id", "field"} >= set(body)
    return body


@pytest.mark.parametrize(
    ("fields", "status", "code", "field"),
    [
        ({"prompt": None}, 422, "wrong_type", "$.prompt"),
        ({"prompt": ""}, 422, "out_of_range", "$.prompt"),
        ({"prompt": "a" * 4001}, 422, "out_of_range", "$.prompt"),
        ({"prompt": "a\0b"}, 422, "nul_in_text", "$.prompt"),
        ({"negative_prompt": "\0"}, 422, "nul_in_text", "$.negative_prompt"),
        ({"nonsense": 1}, 422, "unknown_field", "$.nonsense"),
        ({"width": "1024"}, 422, "wrong_type", "$.width"),
        ({"width": 1024.5}, 422, "wrong_type", "$.width"),
        ({"width": True}, 422, "wrong_type", "$.width"),
        ({"width": 2049}, 422, "out_of_range", "$.width"),
        ({"height": 63}, 422, "out_of_range", "$.height"),
        ({"height": 10**30}, 422, "out_of_range", "$.height"),
        ({"num_inference_steps": 0}, 422, "out_of_range", "$.num_inference_steps"),
        ({"guidance_scale": -0.1}, 422, "out_of_range", "$.guidance_scale"),
        ({"seed": -2}, 422, "out_of_range", "$.seed"),
        ({"seed": 2**53}, 422, "out_of_range", "$.seed"),
        ({"output_format": "gif"}, 422, "out_of_range", "$.output_format"),
        ({"priority": 10}, 422, "out_of_range", "$.priority"),
        ({"deadline_seconds": 0}, 422, "out_of_range", "$.deadline_seconds"),
        ({"modality": "video"}, 422, "out_of_range", "$.modality"),
        ({"callback_url": "ftp://x"}, 422, "invalid_request", "$.callback_url"),
        ({"enhance_prompt": True}, 422, "no_capable_model", "$.enhance_prompt"),
        ({"logo_position": "top_left"}, 422, "missing_field", "$.logo_url"),
        ({"control_image": PICTURE}, 422, "not_supported_by_model", "$.control_image"),
        ({"control_kind": "depth"}, 422, "missing_field", "$.control_image"),
        ({"control_image": PICTURE, "control_kind": "depth"}, 422, "not_supported_by_model", "$.control_image"),
        ({"control_image": PICTURE, "input_image": PICTURE}, 422, "invalid_request", "$.control_image"),
        ({"padding": {"left": 8}}, 422, "missing_field", "$.input_image"),
        ({"padding": {}, "input_image": PICTURE}, 422, "out_of_range", "$.padding"),
        ({"padding": {"left": 4096}, "input_image": PICTURE}, 422, "out_of_range", "$.padding.left"),
        ({"palette_mode": "similar"}, 422, "missing_field", "$.subject_image"),
        ({"palette": ["red"]}, 422, "out_of_range", "$.palette[0]"),
        ({"profile_id": "me"}, 422, "no_such_profile", "$.profile_id"),
        ({"model": "no-such-model"}, 422, "unknown_model", "$.model"),
        ({"model": "x\0"}, 422, "nul_in_text", "$.model"),
        ({"server_id": "no-such-server"}, 404, "unknown_server", "$.server_id"),
    ],
)
def test_a_field_at_fault(client, server, fields, status, code, field):
    problem(client.post(ROUTE, json=GOOD | fields, headers={"Idempotency-Key": "k"}), status, code, field)


@pytest.mark.parametrize(
    "fields", [{"enhance_prompt": False}, {"palette": []}, {"logo_url": None}, {"profile_id": None}]
)
def test_a_field_at_its_default_is_no_fault_of_its_own(client, fields):
    """It passes that check and fails on the next: no server serves the modality here."""
    problem(client.post(ROUTE, json=GOOD | fields), 503, "no_model_available")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"a red circle"',
        b'{"prompt": "a"} and more',
        b"prompt=a",
        b'{"prompt": "\xff"}',
        b'{"prompt": "\\ud800"}',
        b'{"prompt": "a", "guidance_scale": NaN}',
        b'{"prompt": "a\x00b"}',
        b"[" * 100_000,
    ],
)
def test_a_body_that_is_no_json_object(client, server, body):
    answer = client.post(ROUTE, content=body, headers={"Content-Type": "application/json"})
    problem(answer, 400, "invalid_json")


def test_more_values_than_any_request_has(client, server):
    """Refused before an array of millions is decoded, which would hold everybody else up."""
    values = ",".join(['"a"'] * 200_000)
    body = f'{{"prompt": "a", "reference_images": [{values}]}}'
    answer = client.post(ROUTE, content=body, headers={"Content-Type": "application/json"})
    problem(answer, 422, "invalid_request", "$")


def test_a_missing_prompt(client, server):
    problem(client.post(ROUTE, json={}), 422, "missing_field", "$.prompt")


@pytest.mark.matrix
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit(settings, key, server, chunked):
    body = json.dumps({"prompt": "a" * 300_000}).encode()
    content = iter([body[:100_000], body[100_000:200_000], body[200_000:]]) if chunked else body
    small = msgspec.structs.replace(settings, media_body_limit=290_000)
    with api_server(small) as running, running.client(key) as client:
        said = problem(client.post(ROUTE, content=content), 413, "body_too_large")
    assert "Send at most 290000 bytes of JSON; larger media can be uploaded with POST /inputs/v1." == said["detail"]


@pytest.mark.parametrize(
    "headers", [{}, {"X-API-Key": ""}, {"Authorization": "Bearer"}, {"Authorization": "Basic eDp5"}]
)
def test_no_key(api, server, headers):
    with api.client() as client:
        answer = client.post(ROUTE, json=GOOD, headers=headers)
    problem(answer, 401, "unauthenticated")
    assert "Bearer" == answer.headers["WWW-Authenticate"]


def test_keys_that_open_nothing(api, rows, key, server, settings, tenant):
    revoked = make_key(rows, settings, tenant)
    newest = rows.execute(api_keys.select().order_by(api_keys.c.created_at.desc()))[0].id
    rows.execute(revoke_key(newest))
    mistyped = key[:-1] + ("0" if key[-1] != "0" else "1")
    foreign = make_key(rows, type(settings)(secret_key="another secret"), tenant)
    with api.client() as client:
        for wrong in (revoked, mistyped, foreign, "é".encode(), b"atl_", b"x" * 5000):
            problem(client.post(ROUTE, json=GOOD, headers={"X-API-Key": wrong}), 401, "unauthenticated")


def test_a_bad_key_is_refused_before_a_bad_body(api, server):
    with api.client("atl_nonsense") as client:
        problem(client.post(ROUTE, content=b"{"), 401, "unauthenticated")


@pytest.mark.parametrize("path", ["/jobs/v1/{}", "/jobs/v1/{}/events", f"{ROUTE}/status/{{}}"])
@pytest.mark.parametrize(
    ("job_id", "code"),
    [
        ("job_" + "0" * 32, "unknown_job"),
        ("job_8f2a3c1b", "malformed_id"),
        ("med_" + "0" * 32, "malformed_id"),
        ("job_" + "g" * 32, "malformed_id"),
        ("%00", "malformed_id"),
        ("%F0%9F%98%80", "malformed_id"),
        ("job_" + "0" * 32 + "%0A", "malformed_id"),
        ("x" * 3000, "malformed_id"),
    ],
)
def test_an_id_that_is_unknown_or_malformed(client, path, job_id, code):
    problem(client.get(path.format(job_id)), 404, code)


@pytest.mark.parametrize(("method", "path"), [("POST", "/jobs/v1/{}/cancel"), ("DELETE", "/jobs/v1/{}")])
def test_an_id_that_nothing_can_be_done_to(client, method, path):
    problem(client.request(method, path.format("job_" + "0" * 32)), 404, "unknown_job")
    problem(client.request(method, path.format("x")), 404, "malformed_id")


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ("limit=0", "out_of_range", "query.limit"),
        ("limit=101", "out_of_range", "query.limit"),
        ("limit=ten", "wrong_type", "query.limit"),
        ("status=done", "out_of_range", "query.status"),
        ("modality=smell", "out_of_range", "query.modality"),
        ("model=%00", "nul_in_text", "query.model"),
        ("cursor=nonsense", "invalid_request", "query.cursor"),
        ("cursor=%00", "invalid_request", "query.cursor"),
    ],
)
def test_a_query_parameter_at_fault(client, query, code, field):
    problem(client.get(f"/jobs/v1?{query}"), 422, code, field)


@pytest.mark.parametrize(
    ("wait", "code"),
    [("-1", "out_of_range"), ("soon", "wrong_type"), ("nan", "out_of_range"), ("1e999", "out_of_range")],
)
def test_a_wait_that_is_none(client, server, wait, code):
    problem(client.post(f"{ROUTE}?wait={wait}", json=GOOD), 422, code, "query.wait")


@pytest.mark.parametrize("header", ["", "k" * 256])
def test_an_idempotency_key_of_the_wrong_length(client, server, header):
    answer = client.post(ROUTE, json=GOOD, headers={"Idempotency-Key": header})
    problem(answer, 422, "out_of_range", "header.Idempotency-Key")


def test_a_priority_above_the_keys_ceiling(api, rows, settings, tenant, server):
    with api.client(make_key(rows, settings, tenant, priority_ceiling=5)) as client:
        body = problem(client.post(ROUTE, json=GOOD | {"priority": 6}), 422, "out_of_range", "$.priority")
    assert "`priority` must be at most 5 for this key." == body["detail"]


def test_no_server_serves_the_modality(client):
    problem(client.post(ROUTE, json=GOOD), 503, "no_model_available")


def test_a_path_that_does_not_exist(client, api):
    problem(client.get("/nothing/here"), 404, "not_found")
    with api.client() as anybody:
        problem(anybody.get("/generate/smell/v1"), 404, "not_found")


def test_a_method_that_a_path_does_not_take(client):
    answer = client.get(ROUTE)
    problem(answer, 405, "method_not_allowed")
    assert "POST" in answer.headers["Allow"]
    problem(client.put("/jobs/v1"), 405, "method_not_allowed")


@pytest.mark.long
def test_an_internal_error_reveals_no_cause(settings, empty_database_url, caplog):
    """Without its tables every statement fails."""
    broken = msgspec.structs.replace(settings, database_url=empty_database_url)
    with api_server(broken) as server, server.client(new_key()) as client:
        answer = client.get("/jobs/v1", headers={"X-Request-Id": "look-me-up"})
    body = problem(answer, 500, "internal_error")
    assert "report the request id" in body["detail"]
    assert not re.search("relation|function|SELECT|api_keys|psycopg|Traceback", answer.text)
    (record,) = [record for record in caplog.records if record.name == "api.http.problems"]
    assert "request: failed id=look-me-up" == record.getMessage()
    assert "function look_" in caplog.text


def test_the_callers_request_id_comes_back(client):
    assert "mine-1" == client.get("/nothing", headers={"X-Request-Id": "mine-1"}).json()["request_id"]
    assert "mine-2" == client.get("/jobs/v1", headers={"X-Request-Id": "mine-2"}).headers["X-Request-Id"]
