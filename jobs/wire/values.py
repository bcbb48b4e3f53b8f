"""Types of fields that the answers share."""

from datetime import datetime
from typing import Annotated, Any, get_args

from msgspec import Meta

UtcTime = Annotated[datetime, Meta(tz=True)]
"""A time with its zone, which is UTC."""


def documented(values: Any) -> Meta:
    """Return metadata that lists the values of a `Literal` in OpenAPI; a client reads any other string as well."""
    return Meta(extra_json_schema={"enum": list(get_args(values))})
