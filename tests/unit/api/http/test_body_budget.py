"""The byte budget of bodies: shares of tenants, turns, and what is refused after a wait."""

import asyncio
from types import SimpleNamespace

import pytest

from api.http.body_budget import BodyBudget, BodyLease, hold_bodies
from core.errors.limits import TooManyBodies
from core.errors.unavailable import Overloaded
from core.settings import Settings


def budget(most=400, seconds=30.0):
    return BodyBudget(most, Settings(body_wait_seconds=seconds))


async def settle():
    """Let every task go as far as it can."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_tenant_has_a_quarter():
    shared = budget(seconds=0.01)
    await shared.take("a", 60)
    await shared.take("a", 40)
    with pytest.raises(TooManyBodies):
        await shared.take("a", 1)
    assert 100 == shared.in_use


async def test_a_tenant_at_its_share_lets_others_pass():
    shared = budget()
    await shared.take("a", 100)
    waiting = asyncio.create_task(shared.take("a", 50))
    await settle()
    await asyncio.wait_for(shared.take("b", 100), 5)
    assert not waiting.done()
    shared.give_back("a", 100)
    await asyncio.wait_for(waiting, 5)
    assert 150 == shared.in_use


async def test_the_whole_is_bounded_too():
    shared = budget(seconds=0.01)
    for tenant in "abcd":
        await shared.take(tenant, 100)
    with pytest.raises(Overloaded):
        await shared.take("e", 1)


async def test_small_bodies_do_not_pass_a_large_one():
    shared = budget()
    for tenant in "abcd":
        await shared.take(tenant, 80)
    large, small = (asyncio.create_task(shared.take(tenant, size)) for tenant, size in (("e", 100), ("f", 80)))
    await settle()
    assert (False, False) == (large.done(), small.done())
    shared.give_back("a", 80)
    await settle()
    assert (True, False) == (large.done(), small.done())


async def test_a_body_larger_than_a_share_is_admitted_alone():
    shared = budget(seconds=0.01)
    await shared.take("a", 300)
    with pytest.raises(TooManyBodies):
        await shared.take("a", 1)
    shared.give_back("a", 300)
    await shared.take("a", 500)


async def test_what_is_given_up_holds_nothing():
    shared = budget(seconds=0.01)
    await shared.take("a", 100)
    waiting = asyncio.create_task(shared.take("a", 100))
    await settle()
    waiting.cancel()
    await settle()
    shared.give_back("a", 100)
    assert 0 == shared.in_use


async def test_what_is_granted_to_a_cancelled_request_is_given_back():
    shared = budget()
    await shared.take("a", 100)
    waiting = asyncio.create_task(shared.take("a", 100))
    await settle()
    shared.give_back("a", 100)  # grants it
    waiting.cancel()
    await asyncio.wait({waiting})
    assert 0 == shared.in_use


async def test_what_is_given_up_is_not_granted():
    shared = budget()
    await shared.take("a", 100)
    waiting = asyncio.create_task(shared.take("a", 100))
    await settle()
    waiting.cancel()
    shared.give_back("a", 100)  # before the other task has run
    await asyncio.wait({waiting})
    assert (0, True) == (shared.in_use, waiting.cancelled())


async def test_a_lease_takes_and_gives_back_once():
    shared = budget()
    lease = BodyLease(shared, budget(), "a", 100)
    lease.give_back()
    await lease.take()
    await lease.take()
    assert 100 == shared.in_use
    lease.give_back()
    lease.give_back()
    await lease.take()  # a request that watches for its client to leave reads on
    assert 0 == shared.in_use


async def test_a_file_on_its_way_to_the_disk_takes_no_memory():
    shared, files = budget(), budget()
    lease = BodyLease(shared, files, "a", 100)
    lease.use_files()
    await lease.take()
    assert (0, 100) == (shared.in_use, files.in_use)
    lease.use_files()
    lease.give_back()
    assert (0, 0) == (shared.in_use, files.in_use)
    read = BodyLease(shared, files, "a", 100)
    await read.take()
    read.use_files()  # too late: it is in memory
    read.give_back()
    assert (0, 0) == (shared.in_use, files.in_use)


@pytest.mark.parametrize("error", [RuntimeError, asyncio.CancelledError])
async def test_a_request_that_fails_gives_back_what_it_took(error):
    shared, seen = budget(most=400_000), []

    async def app(scope, receive, send):
        seen.append(shared.in_use)  # nothing, before the body is read
        await receive()
        seen.append(shared.in_use)
        raise error

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {
        "headers": [(b"content-length", b"90000")],
        "state": {},
        "user": SimpleNamespace(tenant="a"),
        "route_handler": SimpleNamespace(resolve_request_max_body_size=lambda: 200_000),
    }
    with pytest.raises(error):
        await hold_bodies(shared, budget())(app)(scope, receive, None)
    assert ([0, 90_000], 0) == (seen, shared.in_use)
