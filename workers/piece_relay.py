"""The way of an output through the worker while it is made: its bytes are encoded a part at a time, and published."""

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

from core.ids import new_id
from core.settings import Settings
from jobs.live.pieces import PiecePublisher

log = logging.getLogger(__name__)


class PieceRelay:
    """The relay of one worker's pieces. Its work is in a thread of its own, in order, so the device never waits for it.

    What goes wrong here costs followers the rest of their stream until the output is stored, and not the job.
    """

    def __init__(self, publisher: PiecePublisher) -> None:
        self._publisher = publisher
        self._pool = ThreadPoolExecutor(1, "pieces")
        self._pending: dict[str, list[Future[None]]] = {}
        """What is still to be published, by ticket."""
        self._ends: dict[str, tuple[str, int] | None] = {}
        """Of each ticket the present run and its bytes so far; None once a part of it has failed."""

    @classmethod
    def connect(cls, settings: Settings) -> "PieceRelay":
        """Return a relay over the broker that the settings name; it connects at its first use."""
        return cls(PiecePublisher(settings))

    def add(self, ticket: str, job_id: str, encode: Callable[[], bytes], *, is_first: bool) -> None:
        """Have what `encode` returns published: the next bytes of the output, or its first ones; returns at once."""
        future = self._pool.submit(self._publish, ticket, job_id, encode, is_first)
        self._pending.setdefault(ticket, []).append(future)

    def finish(self, ticket: str) -> None:
        """Wait until all parts of an attempt are encoded and published, and forget it."""
        wait(self._pending.pop(ticket, []))
        self._ends.pop(ticket, None)

    def _publish(self, ticket: str, job_id: str, encode: Callable[[], bytes], is_first: bool) -> None:
        if is_first:
            self._ends[ticket] = new_id("run"), 0
        place = self._ends.get(ticket)
        if place is None:
            return
        run, begin = place
        try:
            data = encode()
        except Exception as error:
            self._ends[ticket] = None
            log.warning("pieces: not encoded job=%s error=%s", job_id, error)
            return
        self._ends[ticket] = run, begin + len(data)
        if data:
            self._publisher.publish(job_id, run, begin, data)
