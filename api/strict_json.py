"""Bodies are decoded strictly and in one pass from bytes to the struct that the handler declares."""

from typing import Any

import msgspec
from litestar import Request
from litestar.datastructures import State

from api.auth import Caller
from api.refusals import refusal


class StrictRequest(Request[Caller, str, State]):
    """A request whose JSON is never coerced: "1024" is no number.

    Litestar by itself decodes to plain objects and converts those leniently, which accepts the strings and loses the
    path of a fault.
    """

    async def json(self) -> Any:
        """The body as the type of the handler's `data`. Raises the precise `InvalidRequest`."""
        body = await self.body()
        field = self.route_handler.parsed_data_field
        type_ = field.annotation if field is not None else Any
        try:
            return msgspec.json.decode(body, type=type_)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise refusal(error, type_) from None
