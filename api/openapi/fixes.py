"""Corrections of Litestar's OpenAPI document where it differs from the service."""

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

from litestar.openapi.spec import (
    OpenAPI,
    OpenAPIMediaType,
    OpenAPIResponse,
    Operation,
    Parameter,
    Reference,
    RequestBody,
)
from litestar.openapi.spec.enums import OpenAPIFormat, OpenAPIType
from litestar.openapi.spec.schema import Schema

from api.openapi.descriptions import DESCRIPTIONS
from api.openapi.dialects import DialectDocuments
from api.openapi.headers import add_headers
from api.openapi.operation_ids import PLACES, name_operation
from api.openapi.schemas import struct_schemas
from api.openapi.webhooks import STRUCTS, webhooks
from jobs.params.registry import MODALITIES

FILE = Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY)
FORM = Schema(type=OpenAPIType.OBJECT, properties={"file": replace(FILE, description="The file.")}, required=["file"])
FORM_OR_FILE = {
    "multipart/form-data": OpenAPIMediaType(FORM),
    **{type_: OpenAPIMediaType(FILE) for type_ in ("application/octet-stream", "image/*", "audio/*")},
}
ANY_JOB = Schema(
    one_of=[Reference(f"#/components/schemas/{modality.params.__name__}") for modality in MODALITIES],
    description="The fields of the submit route of a modality, with that `modality`.",
    examples=[
        {"modality": "image", "prompt": "a red chair", "num_images": 2},
        {"modality": "video", "prompt": "slow zoom in", "input_image": "https://shop.example/chair.jpg"},
    ],
)
OPAQUE = {
    "post /estimates/v1": RequestBody({"application/json": OpenAPIMediaType(ANY_JOB)}, required=True),
    "put /files/{key}": RequestBody({"application/octet-stream": OpenAPIMediaType(FILE)}, required=True),
    "post /inputs/v1": RequestBody(
        FORM_OR_FILE, description="The file. Without a body the answer has a link to PUT it to."
    ),
    "post /media/v1": RequestBody(
        FORM_OR_FILE, description="The file; or JSON with a `url`, or with none for a link to PUT the file to."
    ),
    "post /imagepipeline/upload/image/v1": RequestBody(
        {"multipart/form-data": OpenAPIMediaType(FORM)},
        required=True,
        description="The picture. The form may have the content type of JSON.",
    ),
    **{
        f"post /whaletools/v1/{path}": RequestBody(
            FORM_OR_FILE, required=True, description="The file; or JSON with it in base64 (`file`), or with a `url`."
        )
        for path in ("media", "stores/{store_id}/media")
    },
}
"""The bodies that handlers read themselves, most of them as streams; the framework knows nothing of these."""
OTHER_ANSWERS = {"get /usage/v1": ("text/csv", Schema(type=OpenAPIType.STRING))}
"""Answers of another content type than the one of the handler's annotation, by operation."""


def correct_document(document: OpenAPI, dialects: DialectDocuments) -> None:
    """Correct the document, add what the framework does not know, and take out the routes of the dialects.

    The 400 of the framework, which this service never answers, and bodies of null are left out. A handler that reads a
    stream has a body. Schemas are those of msgspec; a parameter is never null. Operations get their ids, answers their
    headers, parameters their descriptions, and webhooks their section.
    """
    document.paths = dict(sorted((document.paths or {}).items(), key=lambda item: PLACES.get(item[0], 1)))
    for path, method, operation in _operations(document):
        responses = operation.responses or {}
        bad_request = responses.get("400")
        if isinstance(bad_request, OpenAPIResponse) and "application/json" in (bad_request.content or {}):
            del responses["400"]
        for response in responses.values():
            if isinstance(response, OpenAPIResponse):
                _correct_content(response)
        for parameter in operation.parameters or ():
            if isinstance(parameter, Parameter) and isinstance(parameter.schema, Schema):
                parameter.schema = _without_null(parameter.schema)
                parameter.description = parameter.description or DESCRIPTIONS.get(parameter.name)
        name_operation(method, path, operation)
        add_headers(path, operation)
        if (body := OPAQUE.get(f"{method} {path}")) is not None:
            operation.request_body = body
        if (other := OTHER_ANSWERS.get(f"{method} {path}")) is not None:
            _add_content(operation, *other)
    document.webhooks = webhooks()
    schemas: dict[str, Any] = document.components.schemas
    errors = [format_.error.__name__ for format_ in dialects.formats]
    schemas |= struct_schemas([*schemas, *errors, *(struct.__name__ for struct in STRUCTS)])
    dialects.take_out(document)


def _operations(document: OpenAPI) -> Iterator[tuple[str, str, Operation]]:
    """Yield every operation with its path and its method."""
    for path, item in (document.paths or {}).items():
        for method in ("get", "head", "post", "put", "patch", "delete"):
            operation = getattr(item, method)
            if operation is not None:
                yield path, method, operation


def _correct_content(response: OpenAPIResponse) -> None:
    """Remove a body of null, and turn JSON of any type into a download."""
    media = (response.content or {}).get("application/json")
    if media is None or not isinstance(media.schema, Schema):
        return
    if media.schema.type is OpenAPIType.NULL:
        response.content = None
    elif media.schema == Schema():
        response.content = {"application/octet-stream": media}


def _add_content(operation: Operation, media_type: str, schema: Schema) -> None:
    """Add a content type to the answer of success."""
    response = (operation.responses or {})["200"]
    assert isinstance(response, OpenAPIResponse)
    response.content = {**(response.content or {}), media_type: OpenAPIMediaType(schema)}


def _without_null(schema: Schema) -> Schema | Reference:
    """Return the schema of a parameter that may be left out; a URL and a header have no null."""
    if isinstance(schema.type, list):
        kinds = [kind for kind in schema.type if kind is not OpenAPIType.NULL]
        values = [value for value in schema.enum or () if value is not None]
        return replace(schema, type=kinds[0] if len(kinds) == 1 else kinds, enum=values or None)
    kinds_of = [kind for kind in schema.one_of or () if not _is_null(kind)]
    if len(kinds_of) != 1:
        return schema
    (kind,) = kinds_of
    if isinstance(kind, Reference):
        return kind
    outer = {field.name: getattr(schema, field.name) for field in fields(Schema) if field.name != "one_of"}
    return replace(kind, **{name: value for name, value in outer.items() if value is not None})


def _is_null(schema: Schema | Reference) -> bool:
    return isinstance(schema, Schema) and schema.type is OpenAPIType.NULL
