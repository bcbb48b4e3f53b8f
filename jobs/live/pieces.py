"""Pieces of an output on their way from the worker to followers, while it is made: a stream of each job in Redis.

The stream keeps the newest `MOST_PIECES`, so that a follower who comes late gets what it missed, and expires
`KEEP_SECONDS` after its last piece or its last reader. It is a copy: what counts is the stored output.
"""

import logging
from typing import Any

import msgspec
import redis

from core.broker.clients import broker_client
from core.circuit_breaker import CircuitBreaker
from core.settings import Settings

log = logging.getLogger(__name__)

PIECE_BYTES = 32 * 1024
MOST_PIECES = 512
"""16 MiB of each job; Redis removes whole blocks, so there may be a hundred more."""
KEEP_SECONDS = 120
FIELD = b"piece"


class OutputPiece(msgspec.Struct, frozen=True, kw_only=True):
    """The bytes of an output from `begin` on.

    `run` names the try that made them: a job whose worker is lost is made again, and then its output begins again.
    """

    run: str
    begin: int
    data: bytes


def pieces_key(job_id: str) -> str:
    """Return the key of a job's stream."""
    return f"atelier:output:{job_id}"


def decode_pieces(entries: list[tuple[bytes, dict[bytes, bytes]]]) -> list[OutputPiece]:
    """Return the pieces of entries of a stream. Raises `msgspec.MsgspecError`, and `KeyError` for a foreign entry."""
    return [msgspec.msgpack.decode(fields[FIELD], type=OutputPiece) for _, fields in entries]


class PiecePublisher:
    """The publisher of pieces; a server that is away costs one timeout per breaker period, and no error."""

    def __init__(self, settings: Settings) -> None:
        self._client = broker_client(settings)
        self._breaker = CircuitBreaker(settings.breaker_seconds)

    def publish(self, job_id: str, run: str, begin: int, data: bytes) -> None:
        """Send the bytes of an output from `begin` on, in pieces of at most `PIECE_BYTES`."""
        if self._breaker.open:
            return
        key = pieces_key(job_id)
        try:
            with self._client.pipeline(transaction=False) as pipe:
                for start in range(0, len(data), PIECE_BYTES):
                    piece = OutputPiece(run=run, begin=begin + start, data=data[start : start + PIECE_BYTES])
                    fields: Any = {FIELD: msgspec.msgpack.encode(piece)}
                    pipe.xadd(key, fields, maxlen=MOST_PIECES, approximate=True)
                pipe.expire(key, KEEP_SECONDS)
                pipe.execute()
        except (redis.RedisError, OSError) as error:
            self._breaker.fail()
            log.warning("pieces: broker not reached error=%r", str(error))
