"""One statement for many requests: whatever is asked for while a statement is under way becomes the next one."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import islice
from typing import Generic, TypeVar

from core.errors.unavailable import DatabaseUnavailable

K = TypeVar("K")
V = TypeVar("V")


class Batcher(Generic[K, V]):
    """Gets values by key, `most` of them by one statement and `at_once` statements at the same time.

    `get_many` returns the value of each key, or the error that its callers raise. After any
    error that it raises the keys are tried one by one, since one of them may have made the statement fail; but
    `DatabaseUnavailable` is at once that of all that are left.
    Callers of equal keys that ask together share one value.
    """

    def __init__(
        self, get_many: Callable[[Sequence[K]], Awaitable[Mapping[K, V | Exception]]], *, most: int, at_once: int
    ) -> None:
        self._get_many = get_many
        self._most = most
        self._at_once = at_once
        self._asked: dict[K, list[asyncio.Future[V]]] = {}
        self._running = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def get(self, key: K) -> V:
        """Return the value of a key, from a statement that begins after this call; a caller that goes ends none."""
        future: asyncio.Future[V] = asyncio.get_running_loop().create_future()
        self._asked.setdefault(key, []).append(future)
        if self._running < self._at_once:
            self._running += 1
            task = asyncio.create_task(self._get_asked(), name="batcher")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await future

    async def _get_asked(self) -> None:
        while self._asked:
            batch = {key: self._asked.pop(key) for key in list(islice(self._asked, self._most))}
            outcomes = await self._outcomes(list(batch))
            for key, futures in batch.items():
                for future in futures:
                    _settle(future, outcomes[key])
        self._running -= 1

    async def _outcomes(self, keys: Sequence[K]) -> Mapping[K, V | Exception]:
        try:
            return await self._get_many(keys)
        except DatabaseUnavailable as error:
            return dict.fromkeys(keys, error)
        except Exception as error:
            if len(keys) == 1:
                return {keys[0]: error}
        return await self._outcomes_one_by_one(keys)

    async def _outcomes_one_by_one(self, keys: Sequence[K]) -> Mapping[K, V | Exception]:
        outcomes: dict[K, V | Exception] = {}
        for number, key in enumerate(keys):
            outcomes |= await self._outcomes([key])
            if isinstance(outcomes[key], DatabaseUnavailable):  # which each of the others would wait for again
                return outcomes | dict.fromkeys(keys[number:], outcomes[key])
        return outcomes


def _settle(future: asyncio.Future[V], outcome: V | Exception) -> None:
    if future.done():
        return  # its caller has gone
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
