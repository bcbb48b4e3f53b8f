"""What is stored, as one line."""

from datetime import UTC, datetime

import pytest

from cli.output.sizes import format_disk, format_objects, format_stored
from jobs.wire.servers import StoredBytes

AT = datetime(2025, 11, 29, 16, 5, tzinfo=UTC)
LOCAL = AT.astimezone().strftime("%Y-%m-%d")


@pytest.mark.parametrize(
    ("stored", "line"),
    [
        (
            StoredBytes(database=65_000_000, store=9_800_000, objects=64, store_free=512_000_000_000, measured_at=AT),
            f"database 65.0 MB, 64 files 9.8 MB (counted on {LOCAL}), 512.0 GB free",
        ),
        (
            StoredBytes(database=65_000_000, store=None, objects=None, store_free=None, measured_at=None),
            "database 65.0 MB, files not counted yet",
        ),
    ],
)
def test_what_is_known_is_said(stored, line):
    assert line == format_stored(stored)


def test_files_of_a_model_are_worded_once():
    assert ["unknown", "unknown", "", "6.0 kB", "at least 6.0 kB"] == [
        format_disk(None),
        format_disk(0, is_whole=False),
        format_disk(0),
        format_disk(6000),
        format_disk(6000, is_whole=False),
    ]


def test_a_count_of_today_has_its_time():
    now = datetime.now(UTC)
    assert f"7 files 6.0 kB (counted at {now.astimezone():%H:%M})" == format_objects(7, 6000, now)
