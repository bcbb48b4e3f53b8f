"""The OpenAPI document and its page: complete, and without resources of other hosts."""

import re

import pytest

from api.http.strict_json import BODY_ERRORS
from api.native.service.problems import MEANINGS
from core.errors.tree import all_errors


@pytest.fixture
def anonymous(api):
    with api.client() as client:
        yield client


@pytest.fixture
def document(anonymous):
    return anonymous.get("/schema/openapi.json").json()


def test_the_page_loads_everything_from_here(anonymous):
    page = anonymous.get("/schema")
    assert (200, "text/html; charset=utf-8") == (page.status_code, page.headers["Content-Type"])
    head = page.text.split("</head>")[0]
    loaded = re.findall(r"""(?:src|href)=['"]([^'"]+)""", head)
    assert 4 == len(loaded)
    assert [] == re.findall(r"https?://|//cdn", head)
    assert [] == re.findall(r"cdn\.|jsdelivr|unpkg|googleapis", page.text)
    for path in loaded:
        answer = anonymous.get(path)
        assert 200 == answer.status_code, path
        assert len(answer.content) > 500


def test_a_browser_runs_only_scripts_from_here(anonymous):
    """tests/integration/api/openapi/test_page.py shows that the page works so."""
    page = anonymous.get("/schema")
    assert [] == re.findall(r"<script[^>]*>[^<]|\son[a-z]+=|<style", page.text)
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; ")
    assert "frame-ancestors 'none'" in policy
    assert ("nosniff", "no-referrer") == (page.headers["X-Content-Type-Options"], page.headers["Referrer-Policy"])


def test_a_script_that_is_not_the_pages_is_not_served(anonymous):
    for name in ("swagger-editor.js", "..%2f__init__.py", "index.css"):
        assert 404 == anonymous.get(f"/schema/scripts/{name}").status_code


def test_the_document_names_every_route(document):
    assert {
        ("post", "/generate/image/v1"),
        ("get", "/generate/image/v1/status/{job_id}"),
        ("post", "/generate/speech/v1"),
        ("get", "/generate/speech/v1/status/{job_id}"),
        ("post", "/generate/3d/v1"),
        ("get", "/generate/3d/v1/status/{job_id}"),
        ("post", "/generate/video/v1"),
        ("get", "/generate/video/v1/status/{job_id}"),
        ("post", "/generate/remove-background/v1"),
        ("get", "/generate/remove-background/v1/status/{job_id}"),
        ("post", "/generate/join/v1"),
        ("get", "/generate/join/v1/status/{job_id}"),
        ("post", "/generate/sound/v1"),
        ("get", "/generate/sound/v1/status/{job_id}"),
        ("post", "/generate/music/v1"),
        ("get", "/generate/music/v1/status/{job_id}"),
        ("post", "/generate/vectorize/v1"),
        ("get", "/generate/vectorize/v1/status/{job_id}"),
        ("post", "/generate/transcript/v1"),
        ("get", "/generate/transcript/v1/status/{job_id}"),
        ("post", "/generate/embedding/v1"),
        ("get", "/generate/embedding/v1/status/{job_id}"),
        ("post", "/generate/segment/v1"),
        ("get", "/generate/segment/v1/status/{job_id}"),
        ("post", "/generate/text/v1"),
        ("get", "/generate/text/v1/status/{job_id}"),
        ("post", "/generate/upscale/v1"),
        ("get", "/generate/upscale/v1/status/{job_id}"),
        ("post", "/generate/avatar/v1"),
        ("get", "/generate/avatar/v1/status/{job_id}"),
        ("post", "/generate/interpolate/v1"),
        ("get", "/generate/interpolate/v1/status/{job_id}"),
        ("post", "/generate/branding/v1"),
        ("get", "/generate/branding/v1/status/{job_id}"),
        ("post", "/inputs/v1"),
        ("post", "/media/v1"),
        ("get", "/media/v1"),
        ("get", "/media/v1/search"),
        *((method, "/media/v1/{media_id}") for method in ("get", "patch", "delete")),
        *(("post", f"/media/v1/{{media_id}}/{verb}") for verb in ("archive", "publish", "unpublish", "link")),
        ("delete", "/media/v1/{media_id}/link"),
        ("post", "/media/v1/link"),
        *((method, path) for method in ("get", "head") for path in ("/m/{media_id}/{name}", "/p/{token}")),
        ("post", "/voices/v1"),
        ("get", "/voices/v1"),
        ("get", "/voices/v1/{voice_id}"),
        ("get", "/voices/v1/{voice_id}/sample"),
        ("delete", "/voices/v1/{voice_id}"),
        ("get", "/profiles/v1"),
        ("post", "/profiles/v1"),
        ("get", "/profiles/v1/{profile_id}"),
        ("patch", "/profiles/v1/{profile_id}"),
        ("delete", "/profiles/v1/{profile_id}"),
        ("get", "/me/v1"),
        ("patch", "/me/v1"),
        ("get", "/usage/v1"),
        ("get", "/queue/v1"),
        ("get", "/keys/v1"),
        ("post", "/keys/v1"),
        *((method, "/keys/v1/{key_id}") for method in ("get", "patch", "delete")),
        ("get", "/jobs/v1"),
        ("post", "/jobs/v1"),
        ("post", "/jobs/v1/pause"),
        ("post", "/jobs/v1/resume"),
        ("post", "/estimates/v1"),
        ("patch", "/jobs/v1/{job_id}"),
        ("get", "/jobs/v1/{job_id}"),
        ("delete", "/jobs/v1/{job_id}"),
        ("get", "/jobs/v1/{job_id}/request"),
        ("get", "/jobs/v1/{job_id}/manifest"),
        ("post", "/jobs/v1/{job_id}/reproduce"),
        ("post", "/jobs/v1/{job_id}/redrive"),
        *((method, "/chains/v1") for method in ("get", "post")),
        ("get", "/chains/v1/{chain_id}"),
        ("post", "/chains/v1/{chain_id}/cancel"),
        ("post", "/storyboards/v1"),
        ("post", "/storyboards/v1/estimate"),
        ("post", "/jobs/v1/{job_id}/cancel"),
        ("get", "/jobs/v1/{job_id}/events"),
        ("get", "/jobs/v1/{job_id}/sound"),
        ("post", "/webhooks/v1"),
        ("get", "/webhooks/v1"),
        ("get", "/webhooks/v1/{webhook_id}"),
        ("patch", "/webhooks/v1/{webhook_id}"),
        ("delete", "/webhooks/v1/{webhook_id}"),
        ("post", "/webhooks/v1/{webhook_id}/rotate"),
        ("post", "/webhooks/v1/{webhook_id}/test"),
        ("get", "/webhooks/v1/deliveries"),
        ("get", "/webhooks/v1/deliveries/{delivery_id}"),
        ("post", "/webhooks/v1/deliveries/{delivery_id}/replay"),
        ("post", "/webhooks/v1/replay"),
        ("get", "/models/v1"),
        ("get", "/servers/v1"),
        ("get", "/servers/v1/{server_id}"),
        ("delete", "/servers/v1/{server_id}"),
        ("post", "/servers/v1/{server_id}/cordon"),
        ("post", "/servers/v1/{server_id}/uncordon"),
        ("post", "/servers/v1/{server_id}/drain"),
        ("post", "/servers/v1/{server_id}/preload"),
        ("post", "/servers/v1/{server_id}/unload"),
        ("post", "/servers/v1/{server_id}/recycle"),
        ("get", "/o/{job_id}/{name}"),
        ("head", "/o/{job_id}/{name}"),
        ("get", "/files/{key}"),
        ("head", "/files/{key}"),
        ("put", "/files/{key}"),
        ("get", "/health/live"),
        ("get", "/health/ready"),
        ("get", "/problems"),
        ("get", "/problems/{code}"),
    } == {(method, path) for path, methods in document["paths"].items() for method in methods}


def operations(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


def test_every_operation_is_described(document):
    assert "Atelier" == document["info"]["title"]
    for name, operation in operations(document):
        assert operation["summary"], name
        assert operation["description"], name
        assert operation["tags"], name
    names = [operation["operationId"] for _, operation in operations(document)]
    assert sorted(set(names)) == sorted(names)


def test_a_key_is_asked_for_where_one_is_needed(document):
    assert {"key", "bearer"} == set(document["components"]["securitySchemes"])
    assert [{"key": []}, {"bearer": []}] == document["security"]
    free = {name for name, operation in operations(document) if operation.get("security") == [{}]}
    assert {"/o", "/m", "/p", "/voices", "/files", "/health", "/problems"} == {
        "/" + name.split("/")[1] for name in free
    }


def test_every_refusal_is_a_problem(document):
    for name, operation in operations(document):
        for status, response in operation["responses"].items():
            if status >= "400":
                assert ["application/problem+json"] == list(response["content"]), (name, status)
        if "security" not in operation:
            assert {"401", "503"} <= set(operation["responses"]), name


def test_every_route_with_a_body_says_what_may_refuse_it(document):
    checked = 0
    for name, operation in operations(document):
        if "application/json" in operation.get("requestBody", {}).get("content", {}):
            said = "".join(response["description"] for response in operation["responses"].values())
            assert [] == [error.code for error in BODY_ERRORS if f"`{error.code}`" not in said], name
            checked += 1
    assert checked >= 11


def test_downloads_are_bytes_and_streams_are_events(document):
    def content(path, status="200"):
        return list(document["paths"][path]["get"]["responses"][status].get("content", {}))

    assert ["application/octet-stream"] == content("/files/{key}")
    assert ["text/event-stream"] == content("/jobs/v1/{job_id}/events")
    assert [] == content("/o/{job_id}/{name}", "302")


def test_the_body_is_documented_field_by_field(document):
    schema = document["components"]["schemas"]["ImageParams"]
    assert {"prompt", "width", "seed", "output_format", "callback_url", "server_id", "model"} <= set(
        schema["properties"]
    )
    assert "prompt" in schema["required"]
    assert 2048 == schema["properties"]["width"]["maximum"]
    body = document["paths"]["/generate/image/v1"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert {"prompt": "a red circle on a blue background"} == body["examples"][0]


@pytest.mark.contract("E10")
def test_every_code_has_a_meaning(anonymous):
    listed = {entry["code"]: entry for entry in anonymous.get("/problems").json()["problems"]}
    assert {kind.code for kind in all_errors()} == set(listed)
    assert (404, None) == (listed["unknown_job"]["status"], listed["gpu_out_of_memory"]["status"])
    for code in listed:
        assert listed[code] == anonymous.get(f"/problems/{code}").json()


def test_a_code_that_does_not_exist(anonymous):
    assert (404, "not_found") == ((answer := anonymous.get("/problems/nope")).status_code, answer.json()["code"])


def test_the_type_of_a_problem_leads_to_its_meaning(anonymous):
    problem = anonymous.get("/jobs/v1").json()
    assert MEANINGS[problem["code"]].detail == anonymous.get(problem["type"]).json()["detail"]


def test_the_examples_have_all_that_the_schemas_require(document):
    checked = 0
    for what, operation in operations(document):
        for media in operation.get("requestBody", {}).get("content", {}).values():
            for part in media["schema"].get("allOf", ()):
                schema = document["components"]["schemas"][part["$ref"].rpartition("/")[2]]
                for example in media["schema"]["examples"]:
                    assert set(schema.get("required", ())) <= set(example) <= set(schema["properties"]), (what, example)
                    checked += 1
    assert checked >= 7


def test_arrays_say_what_is_in_them(document):
    fields = document["components"]["schemas"]["ImageParams"]["properties"]
    assert "string" == fields["reference_images"]["items"]["type"]
    assert ("string", 16) == (fields["palette"]["items"]["type"], fields["palette"]["maxItems"])


def test_an_upload_has_a_body(document):
    body = document["paths"]["/files/{key}"]["put"]["requestBody"]
    assert {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}} == body["content"]
