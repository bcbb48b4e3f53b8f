"""Bodies are decoded strictly and in one pass from bytes to the struct that the handler declares."""

from typing import Any

import msgspec
from litestar import Request
from litestar.datastructures import State

from api.http.auth import Caller
from api.http.msgspec_errors import refusal
from core.errors import InvalidRequest

MOST_VALUES = 100_000
"""In a body, by its commas. An array's length is judged once all of it is decoded, and one of the ten million entries
that a body for media has room for would hold the event loop for a second, and half a gigabyte."""


class StrictRequest(Request[Caller, str, State]):
    """A request whose JSON is never coerced: "1024" is no number.

    Litestar by itself decodes to plain objects and converts those leniently, which accepts the strings and loses the
    path of a fault.
    """

    async def json(self) -> Any:
        """The body as the type of the handler's `data`. Raises the precise `InvalidRequest`."""
        body = await self.body()
        if body.count(b",") > MOST_VALUES:
            raise InvalidRequest(f"The body has more than {MOST_VALUES} values; no field takes as many.", field="$")
        field = self.route_handler.parsed_data_field
        type_ = field.annotation if field is not None else Any
        try:
            return msgspec.json.decode(body, type=type_)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise refusal(error, type_) from None
