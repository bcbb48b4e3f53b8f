"""The watch of the CPU worker: which tasks one statement wakes, and how little an idle worker asks."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import func, text

from core.database import async_engine
from core.settings import Settings
from jobs.schema.tables import outbox, uploads
from jobs.statements.maintenance.due import TASKS, due
from jobs.statements.queue import tenant_jobs
from workers.cpu import due_watch
from workers.cpu.contact import Contact
from workers.cpu.due_watch import IDLE_SECONDS, QUIET_LOOKS, DueWatch


@pytest.fixture
def settings(database_url):
    return Settings(database_url=database_url, broker_url="redis://127.0.0.1:1/0")


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


def found(rows):
    """The tasks that the statement names."""
    (row,) = rows.execute(due(upload_seconds=86_400.0, input_max_attempts=3))
    return {task for task in TASKS if getattr(row, task)}


HOUR = text("interval '1 hour'")


def test_an_idle_service_has_nothing_due(rows):
    rows.pending(rows.tenant(), "http://one.example/a.png")
    rows.execute(text("UPDATE inputs SET available_at = now() + interval '1 minute'"))
    rows.submit(rows.tenant())
    rows.claim(rows.server())
    rows.execute(uploads.insert().values(id="inp", tenant=rows.tenant(), key="t/inputs/inp"))
    assert set() == found(rows)


def test_an_input_that_waits_is_due(rows):
    job = rows.pending(rows.tenant(), "http://one.example/a.png")
    assert {"ingest"} == found(rows)
    rows.cancel(job)
    assert set() == found(rows)


def test_a_delivery_is_due_until_it_is_leased(rows):
    rows.cancel(rows.submit(rows.tenant(), callback_url="http://one.example/"))
    assert {"webhooks"} == found(rows)
    rows.execute(outbox.update().values(lease_until=func.now() + HOUR))
    assert set() == found(rows)
    rows.execute(outbox.update().values(lease_until=None, available_at=func.now() + HOUR))
    assert set() == found(rows)


def test_deleted_jobs_and_old_uploads_are_due(rows):
    tenant = rows.tenant()
    rows.execute(tenant_jobs.erase(rows.submit(tenant).id, tenant))
    assert {"purge"} == found(rows)
    old = func.now() - text("interval '3 days'")
    rows.execute(uploads.insert().values(id="inp", tenant=tenant, key="t/inputs/inp", created_at=old))
    assert {"purge", "uploads"} == found(rows)


def test_a_lost_lease_a_deadline_and_a_lost_input_are_due(rows):
    rows.submit(rows.tenant())
    rows.claim(rows.server(), lease_seconds=-1.0)
    assert {"recovery"} == found(rows)
    rows.execute(text("UPDATE jobs SET lease_until = now() + interval '1 hour'"))
    assert set() == found(rows)
    late = rows.submit(rows.tenant(), deadline_seconds=-1.0)
    assert {"recovery"} == found(rows)
    rows.cancel(late)
    rows.pending(rows.tenant(), "http://one.example/a.png")
    rows.execute(text("UPDATE inputs SET attempt = 3, lease_until = now() - interval '1 second'"))
    assert {"recovery", "ingest"} == found(rows)


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


async def test_a_database_that_does_not_answer_wakes_every_task(rows, watching):
    rows.execute(text("ALTER TABLE outbox RENAME TO away"))
    try:
        async with watching() as watch, asyncio.timeout(5):
            with pytest.raises(Exception, match="outbox"):
                await watch.look()
            for task in TASKS:
                await watch.pause_of(task)(asyncio.Event(), 0.01)
    finally:
        rows.execute(text("ALTER TABLE away RENAME TO outbox"))


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


async def test_looks_are_seldom_while_bells_are_heard(rows, watching, monkeypatch):
    pauses = []

    async def wait(stop, seconds):
        pauses.append(seconds)

    monkeypatch.setattr(due_watch, "wait", wait)
    async with watching() as watch:
        rows.cancel(rows.submit(rows.tenant(), callback_url="http://one.example/"))
        for watch.hears_bells in (True, False):
            await watch.look()
            await watch.sleep(asyncio.Event(), 0.5)
    assert [IDLE_SECONDS, 0.5] == pauses


async def test_every_task_is_woken_once_the_database_is_back(rows, watching):
    rows.execute(text("ALTER TABLE outbox RENAME TO away"))
    async with watching() as watch, asyncio.timeout(5):
        try:
            with pytest.raises(Exception, match="outbox"):
                await watch.look()
            for task in TASKS:
                await watch.pause_of(task)(asyncio.Event(), 0.01)
        finally:
            rows.execute(text("ALTER TABLE away RENAME TO outbox"))
        await watch.look()
        for task in TASKS:
            await watch.pause_of(task)(asyncio.Event(), 0.01)


async def test_looks_are_seldom_once_nothing_was_due(rows, watching, monkeypatch):
    pauses = []

    async def wait(stop, seconds):
        pauses.append(seconds)

    monkeypatch.setattr(due_watch, "wait", wait)
    async with watching() as watch:
        for _ in range(QUIET_LOOKS):
            await watch.look()
            await watch.sleep(asyncio.Event(), 0.5)
        assert [0.5] * (QUIET_LOOKS - 1) + [IDLE_SECONDS] == pauses
        rows.cancel(rows.submit(rows.tenant(), callback_url="http://one.example/"))
        await watch.look()
        await watch.sleep(asyncio.Event(), 0.5)
    assert 0.5 == pauses[-1]
