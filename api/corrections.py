"""Where Litestar's OpenAPI document says what is not so."""

from collections.abc import Iterator

from litestar.openapi.spec import OpenAPI, OpenAPIResponse, Operation
from litestar.openapi.spec.enums import OpenAPIType
from litestar.openapi.spec.schema import Schema


def correct(document: OpenAPI) -> None:
    """Leave out the framework's own 400, which never leaves this service, and bodies where there are none."""
    for operation in _operations(document):
        responses = operation.responses or {}
        refused = responses.get("400")
        if isinstance(refused, OpenAPIResponse) and "application/json" in (refused.content or {}):
            del responses["400"]
        for response in responses.values():
            if isinstance(response, OpenAPIResponse):
                _correct_content(response)


def _operations(document: OpenAPI) -> Iterator[Operation]:
    for item in (document.paths or {}).values():
        for operation in (item.get, item.head, item.post, item.put, item.delete):
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
