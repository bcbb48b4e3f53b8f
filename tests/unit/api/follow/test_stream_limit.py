"""The limit of open event streams: exact for each tenant, and freed by every end."""

from contextlib import ExitStack

import pytest

from api.follow.stream_limit import StreamLimit
from core.errors.limits import TooManyStreams


def test_each_tenant_has_its_own_limit():
    limit = StreamLimit(2)
    with ExitStack() as streams:
        for tenant in ("a", "b", "a"):
            streams.enter_context(limit.count_one(tenant))
        with pytest.raises(TooManyStreams, match="2 event streams"):
            streams.enter_context(limit.count_one("a"))
        streams.enter_context(limit.count_one("b"))


def test_a_stream_that_ends_makes_room():
    limit = StreamLimit(1)
    for _ in range(3):
        with pytest.raises(OSError, match="cut"), limit.count_one("a"):
            raise OSError("cut")
