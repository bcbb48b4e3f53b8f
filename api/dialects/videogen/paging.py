"""Pages of the lists that are read whole: `limit` entries after the one that `cursor` names."""

import base64
from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

from litestar.params import QueryParameter

from core.errors.fields import InvalidRequest

T = TypeVar("T")

Limit = Annotated[int, QueryParameter(ge=1, le=200)]


def page_of(
    entries: Sequence[T], name: Callable[[T], str], limit: int, cursor: str | None
) -> tuple[list[T], str | None]:
    """Return the entries after the one that `cursor` names, and the next cursor, None at the end.

    Raises `InvalidRequest` for a cursor that was not made here.
    """
    begin = 0 if cursor is None else 1 + _place([name(entry) for entry in entries], cursor)
    page = list(entries[begin : begin + limit])
    if begin + limit >= len(entries):
        return page, None
    return page, base64.urlsafe_b64encode(name(page[-1]).encode()).decode().rstrip("=")


def _place(names: Sequence[str], cursor: str) -> int:
    try:
        last = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
        return names.index(last)
    except ValueError:
        raise InvalidRequest(
            "`cursor` is invalid; send `nextCursor` of the page before, unchanged.", field="query.cursor"
        ) from None
