"""Cursors: opaque, exact, and refused when forged."""

import base64
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from api.http.pagination import pack, unpack
from core.errors.fields import InvalidRequest


def test_a_cursor_comes_back_to_the_microsecond():
    made = datetime(2026, 11, 21, 2, 3, 4, 567891, tzinfo=UTC)
    assert (made, "job_1") == unpack(pack(SimpleNamespace(created_at=made, id="job_1")))


def forged(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "%%%",
        "é",
        forged("nothing"),
        forged("[1,2]"),
        forged('["2026-01-01T00:00:00","job_1"]'),
        forged('["2026-01-01T00:00:00Z","job\\u0000"]'),
        forged('["9999999-01-01T00:00:00Z","job_1"]'),
    ],
)
def test_a_cursor_that_was_not_made_here_is_refused(cursor):
    with pytest.raises(InvalidRequest) as caught:
        unpack(cursor)
    assert "query.cursor" == caught.value.field
