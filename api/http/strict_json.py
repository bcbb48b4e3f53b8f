"""Strict decoding of bodies, in one pass from bytes to the struct that the handler declares."""

from typing import Any

import msgspec
from litestar import Request
from litestar.datastructures import State

from api.http.auth import Caller
from api.http.msgspec_errors import refusal
from core.errors import InvalidRequest
from jobs.statements.queue.look import JobView

MOST_VALUES = 100_000
"""Values in a body, counted by its commas. The length of an array is checked once all of it is decoded; the ten million
entries that fit into a body for media would block the event loop for a second and take half a gigabyte."""


class StrictRequest(Request[Caller, JobView | None, State]):
    """A request whose JSON is never coerced: "1024" is not a number.

    Litestar alone decodes to plain objects and converts those leniently, which accepts such strings and loses the path
    of a fault.
    """

    async def json(self) -> Any:
        """Return the body as the type of the handler's `data`. Raises the precise `InvalidRequest`."""
        body = await self.body()
        if body.count(b",") > MOST_VALUES:
            raise InvalidRequest(f"The body has more than {MOST_VALUES} values; remove some.", field="$")
        field = self.route_handler.parsed_data_field
        type_ = field.annotation if field is not None else Any
        try:
            return msgspec.json.decode(body, type=type_)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise refusal(error, type_) from None
