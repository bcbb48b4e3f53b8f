"""Server-sent events of a streamed response, with their data decoded."""

from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
from httpx_sse import EventSource


class Event(msgspec.Struct, frozen=True):
    """One event of a job's stream; `id` is `seq.n`."""

    id: str
    name: str
    data: Any

    @property
    def number(self) -> tuple[int, int]:
        """The two numbers of `id`, as events are ordered by them."""
        seq, n = self.id.split(".")
        return int(seq), int(n)

    @property
    def seq(self) -> int:
        """The first number of `id`: the row's `event_seq`."""
        return self.number[0]


def events(response: httpx.Response) -> Iterator[Event]:
    """Yield the events of a streamed response as they come, until it ends."""
    for event in EventSource(response).iter_sse():
        if event.data:  # a blank line after `retry` or a comment is not an event
            yield Event(event.id, event.event, msgspec.json.decode(event.data))
