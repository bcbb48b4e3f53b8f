"""Holding a request only as long as somebody waits for it."""

import asyncio

from api.submit.endpoint import while_connected


async def stays():
    await asyncio.Event().wait()


async def leaves():
    return {"type": "http.disconnect"}


async def test_the_result_when_the_client_stays():
    async def work():
        await asyncio.sleep(0)
        return "done"

    assert "done" == await while_connected(stays, work(), "given up")


async def test_the_work_is_dropped_when_the_client_leaves():
    dropped = asyncio.Event()

    async def work():
        try:
            await asyncio.Event().wait()
        finally:
            dropped.set()

    assert "given up" == await while_connected(leaves, work(), "given up")
    assert dropped.is_set()
