"""Cancels of tasks that talk to Redis."""

import asyncio

import pytest

from core.broker.clients import async_broker_client
from core.broker.connections import TcpConnection
from core.settings import Settings


async def test_a_cancel_that_comes_as_a_command_is_sent_is_raised(broker_url, monkeypatch):
    client = async_broker_client(Settings(broker_url=broker_url))
    await client.set("a", "of a")
    send = TcpConnection._send_packed_command

    async def ask():
        await client.get("a")
        return "lost"

    task = asyncio.create_task(ask())

    async def cancel_and_send(self, command):
        await send(self, command)
        task.cancel()

    with monkeypatch.context() as patch:
        patch.setattr(TcpConnection, "_send_packed_command", cancel_and_send)
        with pytest.raises(asyncio.CancelledError):
            await task
    assert b"1" == await client.echo("1"), "the reply to a command that was cancelled is read by none"
    await client.aclose()
