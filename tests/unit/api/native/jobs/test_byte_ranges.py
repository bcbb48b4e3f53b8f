"""Range headers (RFC 9110, section 14)."""

import pytest

from api.native.jobs.byte_ranges import ByteRange, parse_range
from core.errors.http import BadRange


@pytest.mark.parametrize(
    ("header", "span"),
    [
        ("bytes=0-0", ByteRange(0, 0)),
        ("bytes=0-9", ByteRange(0, 9)),
        ("bytes=3-", ByteRange(3, 9)),
        ("bytes=3-100", ByteRange(3, 9)),
        ("bytes=-4", ByteRange(6, 9)),
        ("bytes=-100", ByteRange(0, 9)),
        ("Bytes= 2-3 ", ByteRange(2, 3)),
    ],
)
def test_one_range(header, span):
    assert span == parse_range(header, 10)


@pytest.mark.parametrize(
    "header",
    [None, "", "bytes=", "bytes=-", "bytes=5-3", "bytes=0-1,3-4", "lines=0-1", "bytes=a-b", "bytes=0-" + "9" * 5000],
)
def test_what_is_answered_whole(header):
    assert parse_range(header, 10) is None


@pytest.mark.parametrize(
    ("header", "size"), [("bytes=10-", 10), ("bytes=99-100", 10), ("bytes=-0", 10), ("bytes=0-", 0)]
)
def test_what_can_not_be_had(header, size):
    with pytest.raises(BadRange):
        parse_range(header, size)


def test_the_length_of_a_span():
    assert 4 == ByteRange(6, 9).length
