"""Frames over a socket pair, whole or in pieces."""

import socket
import threading
from collections.abc import Iterator

import pytest

from workers.ipc.channel import Channel, ChannelClosed
from workers.ipc.messages import Compute, Interrupt, StageProgress


@pytest.fixture
def pair() -> Iterator[tuple[Channel, Channel]]:
    left, right = (Channel(end) for end in socket.socketpair())
    yield left, right
    left.close()
    right.close()


def test_a_message_arrives_as_it_was_sent(pair: tuple[Channel, Channel]) -> None:
    left, right = pair
    request = Compute(
        ticket="job-1", model="m", modality="image", params={"prompt": "ä" * 70_000}, seed=2**40, folder="/f"
    )
    threading.Thread(target=left.send, args=[request]).start()
    assert request == right.receive(5)


def test_messages_keep_their_order(pair: tuple[Channel, Channel]) -> None:
    left, right = pair
    sent = [StageProgress(ticket="t", fraction=n / 10, stage="step") for n in range(10)]
    for message in sent:
        left.send(message)
    assert sent == [right.receive(5) for _ in sent]


def test_a_frame_in_two_pieces_survives_a_timeout_between_them() -> None:
    near, far = socket.socketpair()
    channel = Channel(far)
    body = bytearray()

    class WebhookReceiver:
        def sendall(self, data: bytes) -> None:
            body.extend(data)

    Channel(WebhookReceiver()).send(Interrupt(ticket="t", preempt=True))  # type: ignore[arg-type]
    near.sendall(body[:7])
    with pytest.raises(TimeoutError):
        channel.receive(0.05)
    near.sendall(body[7:])
    assert Interrupt(ticket="t", preempt=True) == channel.receive(5)
    near.close()
    channel.close()


def test_a_message_that_has_arrived_beats_the_deadline(pair: tuple[Channel, Channel]) -> None:
    left, right = pair
    left.send(Interrupt(ticket="t"))
    assert Interrupt(ticket="t") == right.receive(-1)


def test_the_end_of_the_other_side_is_an_error(pair: tuple[Channel, Channel]) -> None:
    left, right = pair
    left.close()
    with pytest.raises(ChannelClosed):
        right.receive(5)


def test_an_absurd_length_is_refused() -> None:
    near, far = socket.socketpair()
    near.sendall(b"\xff\xff\xff\xff")
    with pytest.raises(ChannelClosed):
        Channel(far).receive(5)
    near.close()
    far.close()
