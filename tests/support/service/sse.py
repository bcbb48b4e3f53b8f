"""Reading server-sent events, as the WHATWG standard says; comments are kept, so that tests can see them."""

from collections.abc import Iterator
from typing import Any

import httpx
import msgspec


class Event(msgspec.Struct, frozen=True):
    """One event; a comment has only `comment`."""

    id: int = 0
    name: str = ""
    data: Any = None
    comment: str = ""


def events(response: httpx.Response) -> Iterator[Event]:
    """The events of a streamed response, as they come, until it ends."""
    fields: dict[str, str] = {}
    for line in response.iter_lines():
        if line:
            name, _, value = line.partition(":")
            fields[name or "comment"] = value.removeprefix(" ")
        elif "data" in fields:
            yield Event(int(fields["id"]), fields["event"], msgspec.json.decode(fields["data"]))
            fields = {}
        elif fields:
            if "comment" in fields:
                yield Event(comment=fields["comment"])
            fields = {}
