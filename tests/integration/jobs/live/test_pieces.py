"""Pieces of outputs on a real Valkey: bounded, expiring, and of no consequence where it is away."""

import pytest
from redis import Redis

from core.settings import Settings
from jobs.live.pieces import KEEP_SECONDS, MOST_PIECES, PIECE_BYTES, PiecePublisher, decode_pieces, pieces_key
from tests.support.ports import free_port


@pytest.fixture
def publisher(server):
    return PiecePublisher(Settings(broker_url=server.url))


def test_bytes_arrive_in_pieces_with_their_place(server, publisher):
    data = bytes(range(256)) * 300
    publisher.publish("job_1", "run_1", 7, data)
    pieces = decode_pieces(Redis.from_url(server.url).xrange(pieces_key("job_1")))
    assert [(7, PIECE_BYTES), (7 + PIECE_BYTES, PIECE_BYTES)] == [(one.begin, len(one.data)) for one in pieces[:2]]
    assert data == b"".join(one.data for one in pieces)
    assert {"run_1"} == {one.run for one in pieces}


def test_a_stream_is_bounded_and_expires(server, publisher):
    for number in range(3 * MOST_PIECES):
        publisher.publish("job_1", "run_1", number, b"x")
    redis = Redis.from_url(server.url)
    assert MOST_PIECES <= redis.xlen(pieces_key("job_1")) < 1.5 * MOST_PIECES
    assert 0 < redis.ttl(pieces_key("job_1")) <= KEEP_SECONDS


def test_a_broker_that_is_away_costs_nothing():
    url = f"redis://127.0.0.1:{free_port()}/0"
    PiecePublisher(Settings(broker_url=url, broker_timeout=0.2)).publish("job_1", "run_1", 0, b"x")
