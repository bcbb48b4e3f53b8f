"""What is written in one turn of the event loop is sent as one piece, and before the end of the connection."""

import asyncio

import pytest

from api.server.gathering import GatheringTransport


class Sent:
    """A transport that writes down what it is asked for."""

    def __init__(self):
        self.calls = []

    def write(self, data):
        self.calls.append(data)

    def write_eof(self):
        self.calls.append("eof")

    def close(self):
        self.calls.append("close")

    def is_closing(self):
        return False


@pytest.fixture
def sent():
    return Sent()


async def test_pieces_of_one_turn_are_sent_together(sent):
    transport = GatheringTransport(sent, asyncio.get_running_loop())
    for piece in (b"head", b"", b"body"):
        transport.write(piece)
    assert [] == sent.calls
    await asyncio.sleep(0)
    transport.write(b"more")
    await asyncio.sleep(0)
    assert [b"headbody", b"more"] == sent.calls
    assert transport.is_closing() is False


@pytest.mark.parametrize(("end", "name"), [("write_eof", "eof"), ("close", "close")])
async def test_what_was_written_is_sent_before_the_end(sent, end, name):
    transport = GatheringTransport(sent, asyncio.get_running_loop())
    transport.write(b"last")
    getattr(transport, end)()
    await asyncio.sleep(0)
    assert [b"last", name] == sent.calls
