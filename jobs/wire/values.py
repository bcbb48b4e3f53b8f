"""Documented values of a field, to which a newer API may add."""

from typing import Any, get_args

from msgspec import Meta


def documented(values: Any) -> Meta:
    """Return metadata that lists the values of a `Literal` in OpenAPI; a client reads any other string as well."""
    return Meta(extra_json_schema={"extra": {"enum": list(get_args(values))}})
