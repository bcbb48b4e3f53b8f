"""The listener for bells: it wakes the named task at once, and says when bells are not heard."""

import asyncio
from contextlib import asynccontextmanager, suppress

import pytest
from redis.asyncio import Redis

from cli.embedded.valkey import EmbeddedValkey
from core.settings import Settings
from jobs.cpu_bell import LIST
from tests.support.wait import until as wait_until
from workers.cpu.bells import hear_bells


class Woken:
    """A watch that writes down which tasks were woken."""

    def __init__(self):
        self.hears_bells = False
        self.tasks = asyncio.Queue()

    def ring(self, task):
        self.tasks.put_nowait(task)


async def until(condition):
    """Wait for a condition; the test's own deadline bounds it."""
    await asyncio.to_thread(wait_until, condition, 20.0)


@asynccontextmanager
async def listener(url):
    woken, stop = Woken(), asyncio.Event()
    task = asyncio.create_task(hear_bells(Settings(broker_url=url), woken, stop))
    try:
        async with asyncio.timeout(20):
            yield woken
    finally:
        stop.set()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_a_bell_wakes_its_task(broker_url):
    async with listener(broker_url) as woken, Redis.from_url(broker_url) as client:
        await client.lpush(LIST, "webhooks", "ingest")
        assert ["webhooks", "ingest"] == [await woken.tasks.get(), await woken.tasks.get()]
        assert woken.hears_bells


async def test_each_bell_wakes_one_of_two_listeners(broker_url):
    async with (
        listener(broker_url) as one,
        listener(broker_url) as two,
        Redis.from_url(broker_url) as client,
    ):
        for _ in range(4):
            await client.lpush(LIST, "ingest")
        await until(lambda: one.tasks.qsize() + two.tasks.qsize() == 4)
        assert 0 == await client.llen(LIST)


@pytest.mark.long
async def test_a_broker_that_was_away_is_heard_again(tmp_path):
    with EmbeddedValkey(tmp_path / "valkey") as server:
        async with listener(server.url) as woken:
            async with Redis.from_url(server.url) as client:
                await client.lpush(LIST, "ingest")
            assert "ingest" == await woken.tasks.get()
            server.stop()
            await until(lambda: not woken.hears_bells)
            server.start()
            async with Redis.from_url(server.url) as client:
                await client.lpush(LIST, "webhooks")
            assert "webhooks" == await woken.tasks.get()
            assert woken.hears_bells
