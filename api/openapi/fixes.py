"""Corrections of Litestar's OpenAPI document where it differs from the service."""

from collections.abc import Iterator

from litestar.openapi.spec import OpenAPI, OpenAPIMediaType, OpenAPIResponse, Operation, RequestBody
from litestar.openapi.spec.enums import OpenAPIFormat, OpenAPIType
from litestar.openapi.spec.schema import Schema

FILE = Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY)


def correct_document(document: OpenAPI) -> None:
    """Correct the document: no 400 of the framework, which this service never answers, and no bodies of null.

    Add the body that a handler reads as a stream, and correct the required fields of structs.
    """
    for operation in _operations(document):
        responses = operation.responses or {}
        bad_request = responses.get("400")
        if isinstance(bad_request, OpenAPIResponse) and "application/json" in (bad_request.content or {}):
            del responses["400"]
        for response in responses.values():
            if isinstance(response, OpenAPIResponse):
                _correct_content(response)
    for item in (document.paths or {}).values():
        if item.put is not None and item.put.request_body is None:  # its handler reads the stream
            content = {"application/octet-stream": OpenAPIMediaType(schema=FILE)}
            item.put.request_body = RequestBody(content=content, required=True)
    for schema in document.components.schemas.values():
        _correct_schema(schema)


def _operations(document: OpenAPI) -> Iterator[Operation]:
    for item in (document.paths or {}).values():
        for operation in (item.get, item.head, item.post, item.put, item.patch, item.delete):
            if operation is not None:
                yield operation


def _correct_content(response: OpenAPIResponse) -> None:
    """Remove a body of null, and turn JSON of any type into a download."""
    media = (response.content or {}).get("application/json")
    if media is None or not isinstance(media.schema, Schema):
        return
    if media.schema.type is OpenAPIType.NULL:
        response.content = None
    elif media.schema == Schema():
        response.content = {"application/octet-stream": media}


def _correct_schema(schema: Schema) -> None:
    """Make the tag of a struct optional, and ignore the `...` of a tuple as a type of its items."""
    fields = {
        name: field_schema
        for name, field_schema in (schema.properties or {}).items()
        if isinstance(field_schema, Schema)
    }
    tags = {name for name, field_schema in fields.items() if field_schema.const is not None}
    schema.required = [name for name in schema.required or () if name not in tags] or None
    for field_schema in fields.values():
        if (
            isinstance(field_schema.items, Schema)
            and field_schema.items.one_of
            and Schema() in field_schema.items.one_of
        ):
            (field_schema.items,) = (kind for kind in field_schema.items.one_of if kind != Schema())
