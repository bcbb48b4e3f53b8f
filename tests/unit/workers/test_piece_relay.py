"""The relay of pieces: in order, by run, and never at the job's cost."""

from typing import Any, cast

import pytest

from core.errors.failures import EncodeFailed
from tests.support.gpu_worker.fakes import FakePieces
from workers.piece_relay import PieceRelay


class Outputs:
    """A relay, and what it publishes of one job."""

    def __init__(self) -> None:
        self.pieces = FakePieces()
        self.relay = PieceRelay(cast(Any, self.pieces))

    def add(self, *parts: bytes | Exception) -> None:
        for number, part in enumerate(parts):
            self.relay.add("job_1-1", "job_1", lambda made=part: self._make(made), is_first=number == 0)

    def _make(self, made: bytes | Exception) -> bytes:
        if isinstance(made, Exception):
            raise made
        return made

    def finish(self) -> list[tuple[int, bytes]]:
        self.relay.finish("job_1-1")
        return [(begin, data) for _, _, begin, data in self.pieces.published]


@pytest.fixture
def outputs() -> Outputs:
    return Outputs()


def test_bytes_are_published_in_order_with_their_place(outputs: Outputs) -> None:
    outputs.add(b"abc", b"", b"de")
    assert [(0, b"abc"), (3, b"de")] == outputs.finish()
    assert 1 == len({run for _, run, *_ in outputs.pieces.published})


def test_a_run_that_begins_again_has_another_name(outputs: Outputs) -> None:
    outputs.add(b"abc", b"de")
    outputs.add(b"abc")
    assert [(0, b"abc"), (3, b"de"), (0, b"abc")] == outputs.finish()
    assert 2 == len({run for _, run, *_ in outputs.pieces.published})


def test_nothing_follows_a_part_that_failed(outputs: Outputs) -> None:
    outputs.add(b"abc", EncodeFailed("no"), b"de")
    assert [(0, b"abc")] == outputs.finish()
    outputs.add(b"fg")
    assert (0, b"fg") == outputs.finish()[-1]
