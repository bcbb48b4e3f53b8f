"""Server-sent events, read from the lines of a response (WHATWG HTML, section 9.2)."""

from collections.abc import Iterable, Iterator

import msgspec


class Event(msgspec.Struct, frozen=True):
    """One event; `id` is the last one the stream has named."""

    id: str
    name: str
    data: str


def read_events(lines: Iterable[str]) -> Iterator[Event]:
    """Events as they come; comments are skipped, and an event that was cut off is not told."""
    last_id, name = "", "message"
    data: list[str] = []
    for line in lines:
        if not line:
            if data:
                yield Event(last_id, name, "\n".join(data))
            name, data = "message", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "id":
            last_id = value
        elif field == "event":
            name = value
        elif field == "data":
            data.append(value)
