"""The OpenAPI document against what the service does: bounds, ids, headers, examples and webhooks."""

import msgspec
import pytest
from jsonschema import Draft202012Validator

from api.openapi.descriptions import DESCRIPTIONS
from api.openapi.operation_ids import OPERATION_IDS
from jobs.chains.answer import ChainEvent
from jobs.wire.webhooks import EVENTS, WebhookEvent, WebhookTest

STRUCTS = {"job": WebhookEvent, "chain": ChainEvent, "webhook": WebhookTest}
"""Of the body of an event, by the first word of its type."""


@pytest.fixture(scope="module")
def operations(document):
    return {
        f"{method} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def bodies(operations):
    """Name and JSON schema of every body that a route takes."""
    for name, operation in operations.items():
        for type_, media in operation.get("requestBody", {}).get("content", {}).items():
            if type_ == "application/json":
                yield name, media["schema"]


def faults(document, schema, value):
    validator = Draft202012Validator(schema | {"components": document["components"]})
    return [error.message for error in validator.iter_errors(value)]


def test_every_operation_has_an_id_of_its_own(operations):
    assert OPERATION_IDS == {name: operation["operationId"] for name, operation in operations.items()}
    assert len(set(OPERATION_IDS.values())) == len(OPERATION_IDS)


def test_usage_is_answered_as_json_or_csv(operations):
    content = operations["get /usage/v1"]["responses"]["200"]["content"]
    assert ["application/json", "text/csv"] == list(content)


def test_every_body_refuses_what_the_service_refuses(document, operations):
    schemas = document["components"]["schemas"]
    for name, body in bodies(operations):
        parts = body.get("allOf") or body.get("oneOf") or [body]
        structs = [part["$ref"].rpartition("/")[2] for part in parts if "$ref" in part]
        assert structs, name
        assert {False} == {schemas[struct]["additionalProperties"] for struct in structs}, name


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("strength", [None, 0.1, 1], [0, 1.1, "1"]),
        ("guidance_scale", [None, 0, 30], [-1, 31]),
        ("deadline_seconds", [None, 1], [0, 604_801, 1.5]),
        ("palette", [[], ["#FF5733"]], [["red"], ["#FF5733"] * 17, "#FF5733"]),
        ("width", [64, 2048], [63, 2049, None]),
        ("prompt", ["a"], ["", "a" * 4001, None]),
        ("output_format", ["webp"], ["gif", None]),
        ("modality", ["image"], ["video"]),
        ("callback_url", ["https://a.example", None], ["", "a" * 4097]),
        ("shade", [], ["red"]),
    ],
)
def test_the_bounds_are_those_of_the_service(document, field, good, bad):
    schema = {"$ref": "#/components/schemas/ImageParams"}
    assert [] == [value for value in good if faults(document, schema, {"prompt": "a", field: value})]
    assert [] == [value for value in bad if not faults(document, schema, {"prompt": "a", field: value})]


def test_the_examples_satisfy_their_schemas(document, operations):
    examples = [(name, body, example) for name, body in bodies(operations) for example in body.get("examples", ())]
    assert len(examples) >= 7
    for name, body, example in examples:
        assert [] == faults(document, body, example), name


def test_every_property_and_parameter_is_described(document, operations):
    schemas = document["components"]["schemas"]
    assert [] == [
        f"{struct}.{name}"
        for struct, schema in schemas.items()
        for name, facts in schema.get("properties", {}).items()
        if not facts.get("description")
    ]
    assert [] == [
        f"{operation}: {parameter['name']}"
        for operation, facts in operations.items()
        for parameter in facts.get("parameters", ())
        if not parameter.get("description")
    ]


def test_no_description_is_of_nothing(document, operations):
    names = {parameter["name"] for facts in operations.values() for parameter in facts.get("parameters", ())}
    for struct, schema in document["components"]["schemas"].items():
        for name in schema.get("properties", {}):
            names |= {name, f"{struct}.{name}"}
    assert set() == DESCRIPTIONS.keys() - names


def test_a_submit_stands_before_its_status(document):
    paths = list(document["paths"])
    assert ["/generate/image/v1", "/generate/image/v1/status/{job_id}"] == paths[:2]
    assert "/problems/{code}" == paths[-1]


def test_the_picture_has_one_name(document):
    for struct in ("ImageParams", "VideoParams", "MeshParams", "CutoutParams"):
        schema = document["components"]["schemas"][struct]
        assert {"input_image"} == {"input_image", "image_path", "image_url"} & schema["properties"].keys()
        assert (struct == "MeshParams") == ("input_image" in schema.get("required", ()))


def test_no_parameter_may_be_null(operations):
    for name, operation in operations.items():
        for parameter in operation.get("parameters", ()):
            assert "null" not in str(parameter["schema"]), (name, parameter["name"])
            assert None not in parameter["schema"].get("enum", ()), (name, parameter["name"])


def test_the_headers_of_the_answers_are_documented(operations):
    for name, operation in operations.items():
        for status, response in operation["responses"].items():
            headers = set(response["headers"])
            assert "X-Request-Id" in headers, (name, status)
            assert (status in ("429", "503")) == ("Retry-After" in headers), (name, status)
            assert (status == "401") == ("WWW-Authenticate" in headers), (name, status)
    submit = operations["post /generate/image/v1"]["responses"]
    assert all(
        {"Location", "Idempotency-Replayed", "X-RateLimit-Limit"} <= set(submit[s]["headers"]) for s in ("200", "202")
    )
    assert "Location" in operations["get /o/{job_id}/{name}"]["responses"]["302"]["headers"]
    assert "Content-Range" in operations["get /files/{key}"]["responses"]["206"]["headers"]


def test_times_have_their_format_and_texts_no_indentation(document):
    schemas = document["components"]["schemas"]
    created_at = schemas["Accepted"]["properties"]["created_at"]
    assert {"type": "string", "format": "date-time", "description": DESCRIPTIONS["created_at"]} == created_at
    assert {"type": "string", "format": "date-time"} in schemas["StatusAnswer"]["properties"]["finished_at"]["anyOf"]
    for name, schema in schemas.items():
        assert "\n  " not in schema.get("description", ""), name


def test_every_event_has_its_webhook(document):
    assert [*EVENTS, "webhook.test"] == list(document["webhooks"])
    ids = [item["post"]["operationId"] for item in document["webhooks"].values()]
    ends = ["Completed", "Failed", "Cancelled"]
    of_jobs, of_chains = (f"onJob{state}" for state in ["Queued", "Started", *ends]), (f"onChain{end}" for end in ends)
    assert ids == [*of_jobs, *of_chains, "onTest"]


@pytest.mark.parametrize("type_", [*EVENTS, "webhook.test"])
def test_a_webhook_is_what_the_worker_sends(document, type_):
    sent = document["webhooks"][type_]["post"]
    body = sent["requestBody"]["content"]["application/json"]["schema"]
    (example,) = body["examples"]
    assert [] == faults(document, body, example)
    assert [] != faults(document, body, example | {"type": "job.else"})
    struct = STRUCTS[type_.partition(".")[0]]
    assert example == msgspec.to_builtins(msgspec.convert(example, struct))
    required = {parameter["name"] for parameter in sent["parameters"] if parameter["required"]}
    assert {"webhook-id", "webhook-timestamp", "webhook-signature"} == required
