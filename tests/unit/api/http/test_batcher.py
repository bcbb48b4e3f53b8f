"""The batcher: what is asked for meanwhile is the next statement, and each gets its own outcome."""

import asyncio

import pytest

from api.http.batcher import Batcher
from core.errors.unavailable import DatabaseUnavailable


class Reads:
    """Statements that write down their keys and wait for the gate; `bad` has an error, two others fail them."""

    def __init__(self, most=3, at_once=1):
        self.asked = []
        self.gate = asyncio.Event()
        self.reader = Batcher(self.many, most=most, at_once=at_once)

    async def many(self, keys):
        self.asked.append(list(keys))
        await self.gate.wait()
        if "broken" in keys:
            raise ZeroDivisionError
        if "away" in keys:
            raise DatabaseUnavailable
        return {key: ValueError(key) if key == "bad" else key.upper() for key in keys}

    async def begin(self, *keys):
        """Ask for keys, and return the tasks once they wait."""
        tasks = [asyncio.create_task(self.reader.get(key)) for key in keys]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return tasks


async def test_what_is_asked_for_meanwhile_is_the_next_statement():
    reads = Reads()
    first = await reads.begin("a")
    rest = await reads.begin("b", "c", "b", "d", "e")
    reads.gate.set()
    assert ["A", "B", "C", "B", "D", "E"] == await asyncio.gather(*first, *rest)
    assert [["a"], ["b", "c", "d"], ["e"]] == reads.asked


async def test_no_more_statements_at_once_than_allowed():
    reads = Reads(at_once=2)
    tasks = [task for key in "abcd" for task in await reads.begin(key)]
    assert [["a"], ["b"]] == reads.asked
    reads.gate.set()
    assert ["A", "B", "C", "D"] == await asyncio.gather(*tasks)
    assert [["a"], ["b"], ["c", "d"]] == reads.asked


async def test_a_key_under_way_is_read_again_for_who_asks_later():
    reads = Reads()
    tasks = [*await reads.begin("a"), *await reads.begin("a")]
    reads.gate.set()
    await asyncio.gather(*tasks)
    assert [["a"], ["a"]] == reads.asked


@pytest.mark.parametrize(
    ("key", "error"), [("bad", ValueError), ("broken", ZeroDivisionError), ("away", DatabaseUnavailable)]
)
async def test_an_error_is_raised_by_its_readers_and_ends_nothing(key, error):
    reads = Reads()
    reads.gate.set()
    with pytest.raises(error):
        await reads.reader.get(key)
    assert "A" == await reads.reader.get("a")


async def test_a_key_that_breaks_a_statement_fails_alone():
    reads = Reads()
    first = await reads.begin("a")
    rest = await reads.begin("b", "broken", "c")
    reads.gate.set()
    found = await asyncio.gather(*first, *rest, return_exceptions=True)
    assert ["A", "B", "ZeroDivisionError()", "C"] == [one if isinstance(one, str) else repr(one) for one in found]
    assert [["a"], ["b", "broken", "c"], ["b"], ["broken"], ["c"]] == reads.asked


async def test_a_database_that_is_away_fails_a_batch_at_once():
    reads = Reads()
    first = await reads.begin("a")
    rest = await reads.begin("b", "away")
    reads.gate.set()
    assert ["A"] == await asyncio.gather(*first)
    found = await asyncio.gather(*rest, return_exceptions=True)
    assert [DatabaseUnavailable] * 2 == [type(one) for one in found]
    assert [["a"], ["b", "away"]] == reads.asked


async def test_a_database_that_goes_away_is_waited_for_once():
    reads = Reads(most=5)
    first = await reads.begin("a")
    rest = await reads.begin("b", "broken", "away", "c", "d")
    reads.gate.set()
    found = await asyncio.gather(*first, *rest, return_exceptions=True)
    assert ["A", "B"] == found[:2]
    assert [ZeroDivisionError, *[DatabaseUnavailable] * 3] == [type(one) for one in found[2:]]
    assert [["b"], ["broken"], ["away"]] == reads.asked[2:]


async def test_a_reader_that_gives_up_takes_nothing_from_others():
    reads = Reads()
    one, other = await reads.begin("a", "a")
    one.cancel()
    reads.gate.set()
    assert "A" == await other
