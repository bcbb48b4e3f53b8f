"""The structs of `schema.py` as JSON Schemas, and arguments as those structs."""

from typing import Any, TypeVar

import msgspec

from api.http.msgspec_errors import refusal

S = TypeVar("S", bound=msgspec.Struct)


def object_schema(type_: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the JSON Schema of a struct as an object; clients take no reference at the root."""
    _, components = msgspec.json.schema_components([type_], ref_template="#/$defs/{name}")
    root = components.pop(type_.__name__)
    return {**root, "$defs": components} if components else root


def read_arguments(type_: type[S], given: dict[str, Any]) -> S:
    """Return the arguments of a call; null is none, and some hosts send numbers as text.

    Raises the precise `InvalidRequest`.
    """
    said = {name: value for name, value in given.items() if value is not None}
    try:
        return msgspec.convert(said, type_, strict=False)
    except msgspec.ValidationError as error:
        raise refusal(error, type_) from None
