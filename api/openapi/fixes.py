"""Where Litestar's OpenAPI document says what is not so."""

from collections.abc import Iterator

from litestar.openapi.spec import OpenAPI, OpenAPIMediaType, OpenAPIResponse, Operation, RequestBody
from litestar.openapi.spec.enums import OpenAPIFormat, OpenAPIType
from litestar.openapi.spec.schema import Schema

FILE = Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY)


def correct_document(document: OpenAPI) -> None:
    """Leave out the framework's own 400, which never leaves this service, and bodies where there are none.

    Add the body that a handler reads by itself, and what schemas of structs really ask for.
    """
    for operation in _operations(document):
        responses = operation.responses or {}
        refused = responses.get("400")
        if isinstance(refused, OpenAPIResponse) and "application/json" in (refused.content or {}):
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
    """JSON whose type is null is no body at all, and JSON of any type is a download."""
    media = (response.content or {}).get("application/json")
    if media is None or not isinstance(media.schema, Schema):
        return
    if media.schema.type is OpenAPIType.NULL:
        response.content = None
    elif media.schema == Schema():
        response.content = {"application/octet-stream": media}


def _correct_schema(schema: Schema) -> None:
    """The tag of a struct may be left out; the `...` of a tuple is no second type of its items."""
    fields = {name: about for name, about in (schema.properties or {}).items() if isinstance(about, Schema)}
    tags = {name for name, about in fields.items() if about.const is not None}
    schema.required = [name for name in schema.required or () if name not in tags] or None
    for about in fields.values():
        if isinstance(about.items, Schema) and about.items.one_of and Schema() in about.items.one_of:
            (about.items,) = (kind for kind in about.items.one_of if kind != Schema())
