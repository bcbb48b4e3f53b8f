"""Lists of OpenAI's wire format: `limit` entries after the one that `after` names."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, TypeVar

from litestar.params import QueryParameter

T = TypeVar("T")

Limit = Annotated[int, QueryParameter(ge=1, le=100)]
Order = Literal["asc", "desc"]


def list_of(entries: Sequence[T], limit: int, show: Callable[[T], Any]) -> dict[str, Any]:
    """Return a page of entries, of which there may be one more than `limit`, as the body of an answer."""
    data = [show(entry) for entry in entries[:limit]]
    return {
        "object": "list",
        "data": data,
        "has_more": len(entries) > limit,
        "first_id": data[0].id if data else None,
        "last_id": data[-1].id if data else None,
    }
