"""What is stored, as one line."""

from datetime import UTC, datetime

import pytest

from cli.output.sizes import format_stored
from jobs.wire.servers import StoredBytes

AT = datetime(2026, 11, 29, 16, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("stored", "line"),
    [
        (
            StoredBytes(database=65_000_000, store=9_800_000, objects=64, store_free=512_000_000_000, measured_at=AT),
            "database 65.0 MB, 64 files 9.8 MB (on 2026-11-29), 512.0 GB free",
        ),
        (
            StoredBytes(database=65_000_000, store=None, objects=None, store_free=None, measured_at=None),
            "database 65.0 MB",
        ),
    ],
)
def test_what_is_known_is_said(stored, line):
    assert line == format_stored(stored)
