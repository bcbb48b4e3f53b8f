"""Where Litestar's OpenAPI document says what is not so."""

from collections.abc import Iterator

from litestar.openapi.spec import OpenAPI, OpenAPIResponse, Operation
from litestar.openapi.spec.enums import OpenAPIType
from litestar.openapi.spec.schema import Schema


def correct(document: OpenAPI) -> None:
    """Leave out the framework's own 400, which never leaves this service, and bodies of answers that have none."""
    for operation in _operations(document):
        responses = operation.responses or {}
        refused = responses.get("400")
        if isinstance(refused, OpenAPIResponse) and "application/json" in (refused.content or {}):
            del responses["400"]
        for response in responses.values():
            if isinstance(response, OpenAPIResponse) and _is_empty(response):
                response.content = None


def _operations(document: OpenAPI) -> Iterator[Operation]:
    for item in (document.paths or {}).values():
        for operation in (item.get, item.head, item.post, item.delete):
            if operation is not None:
                yield operation


def _is_empty(response: OpenAPIResponse) -> bool:
    schemas = [media.schema for media in (response.content or {}).values()]
    return any(isinstance(schema, Schema) and schema.type is OpenAPIType.NULL for schema in schemas)
