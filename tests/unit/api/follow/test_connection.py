"""A held request, as long as its client is connected."""

import asyncio

from api.follow.connection import while_connected


async def stays():
    await asyncio.Event().wait()


async def leaves():
    return {"type": "http.disconnect"}


async def test_a_connected_client_gets_the_result():
    async def work():
        await asyncio.sleep(0)
        return "done"

    assert "done" == await while_connected(stays, work(), "given up")


async def test_a_disconnected_client_cancels_the_work():
    dropped = asyncio.Event()

    async def work():
        try:
            await asyncio.Event().wait()
        finally:
            dropped.set()

    assert "given up" == await while_connected(leaves, work(), "given up")
    assert dropped.is_set()
