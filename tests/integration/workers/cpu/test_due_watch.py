"""The watch of the CPU worker: which tasks a look and a bell wake, and how little an idle worker asks."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import func, text

from core.database import async_engine
from core.settings import Settings
from jobs.schema.tables import outbox
from jobs.statements.maintenance.due import TASKS
from workers.cpu import due_watch
from workers.cpu.contact import Contact
from workers.cpu.due_watch import IDLE_SECONDS, QUIET_LOOKS, DueWatch


@pytest.fixture
def settings(database_url):
    return Settings(database_url=database_url, broker_url="redis://127.0.0.1:1/0")


@pytest.fixture
def pauses(monkeypatch):
    """The seconds of each pause, none of which is made."""
    pauses = []

    async def wait(stop, seconds):
        pauses.append(seconds)

    monkeypatch.setattr(due_watch, "wait", wait)
    return pauses


@pytest.fixture
def watching(settings):
    @asynccontextmanager
    async def watching(**more):
        db = async_engine(settings)
        try:
            yield DueWatch(Settings(database_url=settings.database_url, **more), db, Contact(15.0))
        finally:
            await db.dispose()

    return watching


async def test_a_look_wakes_what_is_due_and_nothing_else(rows, watching):
    stop, woken, first = asyncio.Event(), [], asyncio.Event()

    async def pause(task):
        await watch.pause_of(task)(stop, 0.01)
        woken.append(task)
        first.set()

    async with watching() as watch, asyncio.TaskGroup() as tasks:
        for task in TASKS:
            tasks.create_task(pause(task))
        await watch.look()
        rows.cancel(rows.submit(rows.tenant(), callback_url="http://one.example/"))
        await watch.look()
        async with asyncio.timeout(5):
            await first.wait()
        assert ["webhooks"] == woken
        stop.set()
        watch.end()
    assert sorted(TASKS) == sorted(woken)


async def test_a_bell_ends_the_pause_of_its_task(watching):
    """The pause is an hour, and no look is made."""
    async with watching() as watch, asyncio.timeout(5):
        pause = asyncio.create_task(watch.pause_of("webhooks")(asyncio.Event(), 3600.0))
        other = asyncio.create_task(watch.pause_of("ingest")(asyncio.Event(), 3600.0))
        watch.ring("webhooks")
        await pause
        assert not other.done()
        watch.ring("ingest")
        await other


async def test_looks_are_seldom_while_bells_are_heard(rows, watching, pauses):
    async with watching() as watch:
        rows.cancel(rows.submit(rows.tenant(), callback_url="http://one.example/"))
        for watch.hears_bells in (True, False):
            await watch.look()
            await watch.sleep(asyncio.Event(), 0.5)
    assert [IDLE_SECONDS, 0.5] == pauses


async def test_every_task_is_woken_while_the_database_is_away(rows, watching):
    """And once more when it is back."""

    async def all_are_woken():
        for task in TASKS:
            await watch.pause_of(task)(asyncio.Event(), 0.01)

    rows.execute(text("ALTER TABLE outbox RENAME TO away"))
    async with watching() as watch, asyncio.timeout(5):
        try:
            with pytest.raises(Exception, match="outbox"):
                await watch.look()
            await all_are_woken()
        finally:
            rows.execute(text("ALTER TABLE away RENAME TO outbox"))
        await watch.look()
        await all_are_woken()


async def test_a_delivery_is_looked_for_when_it_comes_due(rows, watching, pauses):
    rows.cancel(rows.submit(rows.tenant(), callback_url="http://one.example/"))
    async with watching() as watch:
        watch.hears_bells = True
        for seconds in (0.7, 3600):
            rows.execute(outbox.update().values(available_at=text(f"now() + interval '{seconds} s'")))
            await watch.look()
            await watch.sleep(asyncio.Event(), 0.5)
    assert 0.5 < pauses[0] < 0.7
    assert IDLE_SECONDS == pauses[1]


async def test_what_comes_due_amid_other_work_waits_for_the_next_look(rows, watching, pauses):
    for _ in range(2):
        rows.cancel(rows.submit(rows.tenant(), callback_url="http://one.example/"))
    (first, _) = rows.deliveries()
    soon = func.now() + text("interval '0.4 seconds'")
    rows.execute(outbox.update().where(outbox.c.id == first.id).values(available_at=soon))
    async with watching() as watch:
        watch.hears_bells = True
        await watch.look()
        await watch.sleep(asyncio.Event(), 0.5)
    assert [0.5] == pauses


async def test_looks_are_seldom_once_nothing_was_due(rows, watching, pauses):
    async with watching() as watch:
        for _ in range(QUIET_LOOKS):
            await watch.look()
            await watch.sleep(asyncio.Event(), 0.5)
        assert [0.5] * (QUIET_LOOKS - 1) + [IDLE_SECONDS] == pauses
        rows.cancel(rows.submit(rows.tenant(), callback_url="http://one.example/"))
        await watch.look()
        await watch.sleep(asyncio.Event(), 0.5)
    assert 0.5 == pauses[-1]
