"""The loop under every chore of the CPU worker."""

import asyncio
import time

from sqlalchemy.exc import OperationalError

from workers.cpu.periodic import repeat, wait


async def test_a_turn_is_repeated_until_the_stop():
    stop = asyncio.Event()
    turns = []

    async def turn():
        turns.append(1)
        if len(turns) == 3:
            stop.set()
        return False

    await repeat("test", turn, seconds=0.01, stop=stop)
    assert 3 == len(turns)


async def test_there_is_no_pause_while_more_is_waiting():
    stop = asyncio.Event()
    left = [True] * 20 + [False]

    async def turn():
        more = left.pop(0)
        if not left:
            stop.set()
        return more

    started = time.monotonic()
    await repeat("test", turn, seconds=60.0, stop=stop)
    assert time.monotonic() - started < 5


async def test_errors_are_survived_and_told(caplog):
    stop = asyncio.Event()
    errors = [OperationalError("SELECT 1", {}, Exception("connection refused")), RuntimeError("a bug")]

    async def turn():
        if errors:
            raise errors.pop(0)
        stop.set()
        return False

    with caplog.at_level("INFO"):
        await repeat("test", turn, seconds=0.01, stop=stop)
    assert "test: the database does not answer" in caplog.text
    assert "RuntimeError: a bug" in caplog.text
    assert "test: working again" in caplog.text


async def test_a_stop_ends_the_pause():
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(0.01, stop.set)
    started = time.monotonic()
    await wait(stop, 60.0)
    assert time.monotonic() - started < 5
