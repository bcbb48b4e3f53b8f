"""The documents of other services' wire formats: their own routes, their own errors, and nothing else."""

import json

import pytest
from jsonschema import Draft202012Validator

from api.openapi.samples import sample_request

DIALECTS = ("imagepipeline", "openai", "videogen", "whaletools")


def operations(document):
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method, path, operation


def references(part):
    return {name.partition('"')[0] for name in json.dumps(part).split("#/components/schemas/")[1:]}


def test_each_document_has_the_routes_of_its_base_path(dialects, document):
    assert set(DIALECTS) == dialects.keys()
    for name, found in dialects.items():
        assert all(path.startswith(f"/{name}/") for path in found["paths"])
    assert {"/imagepipeline/edit/image/v1", "/imagepipeline/upload/image/v1"} <= dialects["imagepipeline"][
        "paths"
    ].keys()
    assert {"/openai/v1/images/generations", "/openai/v1/files/{file}"} <= dialects["openai"]["paths"].keys()
    assert {"/videogen/v1/tools/generate-image", "/videogen/v1/files"} <= dialects["videogen"]["paths"].keys()
    assert {"/whaletools/v1/generate/image", "/whaletools/v1/media"} <= dialects["whaletools"]["paths"].keys()
    assert not any(path.startswith(tuple(f"/{name}" for name in DIALECTS)) for path in document["paths"])


def test_no_route_is_in_a_document_that_is_always_refused(dialects):
    paths = {path for found in dialects.values() for path in found["paths"]}
    assert not {"/videogen/v1/text"} & paths
    assert "/openai/v1/videos/edits" not in paths


def test_a_document_has_the_schemas_that_it_refers_to(documents):
    for found in documents:
        schemas = found["components"]["schemas"]
        used = references(found["paths"]) | references(found.get("webhooks", {})) | references(schemas)
        assert used == schemas.keys(), found["info"]["title"]


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("imagepipeline", "ImagePipelineError"),
        ("openai", "ErrorBody"),
        ("videogen", "VideoGenError"),
        ("whaletools", "WhaleError"),
    ],
)
def test_every_operation_says_what_it_does_and_how_it_refuses(dialects, name, error):
    ids = []
    for method, path, operation in operations(dialects[name]):
        assert len(operation["summary"].split()) > 1, (method, path)
        assert {error} == references(operation["responses"]["default"]), (method, path)
        ids.append(operation["operationId"])
    assert len(ids) == len(set(ids))


def test_the_body_of_a_sample_satisfies_its_schema(dialects):
    for found in dialects.values():
        for method, path, operation in operations(found):
            body = sample_request(method, path, operation, found["components"]["schemas"]).body
            if body is not None:
                schema = operation["requestBody"]["content"]["application/json"]["schema"]
                validator = Draft202012Validator(schema | {"components": found["components"]})
                assert [] == [error.message for error in validator.iter_errors(body)], (method, path)
