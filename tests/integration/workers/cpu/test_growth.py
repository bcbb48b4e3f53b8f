"""How much is stored: of each kind, from the rows."""

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from sqlalchemy import extract, func, select, text, update

from jobs.job import Artifact
from jobs.previews import Preview
from jobs.schema.tables import chores, jobs, measurements
from jobs.statements.batches.files import add_file
from jobs.statements.maintenance.growth import KINDS, sizes
from jobs.statements.maintenance.retention import turn
from jobs.statements.media.uploads import add_upload, measured
from jobs.statements.media.voices import add_voice
from tests.support.wait import until
from workers.cpu.growth import LOOK_SECONDS, TURN_SECONDS, Growth


def stored(rows):
    return {row.name: (row.objects, row.bytes) for row in rows.execute(measurements.select())}


def complete(rows, tenant, *sizes, previews=(), name="one"):
    rows.submit(tenant)
    small = tuple(Preview(name="thumbnail", key=f"a/{size}", media_type="image/webp", bytes=size) for size in previews)
    files = [
        Artifact(key=f"a/{size}", media_type="image/webp", bytes=size, sha256="ab", previews=small) for size in sizes
    ]
    rows.complete(rows.claim(rows.server(name)), *files)


def test_nothing_is_known_before_the_first_time(rows):
    (row,) = rows.execute(sizes())
    assert (None, None, None) == (row.store_objects, row.store_bytes, row.measured_at)
    assert row.database_bytes > 1_000_000


def test_every_kind_is_added_up(rows):
    tenant = rows.tenant()
    complete(rows, tenant, 7, 5)
    rows.execute(update(jobs).values(artifacts=text("artifacts #- '{0,previews}'")))  # as the version before wrote it
    complete(rows, tenant, 1000, previews=(20, 30), name="two")
    job = rows.submit(tenant)
    rows.input(job, "input_image", source_key="ten/a", key="ten/copy", status="ready", bytes=100)
    rows.input(job, "waiting", source_key="ten/b")
    rows.execute(add_upload("inp_1", tenant, "ten/inputs/inp_1"))
    rows.execute(add_upload("inp_2", tenant, "ten/inputs/inp_2"))
    rows.execute(measured("inp_1", 30))
    rows.execute(add_voice("voi_1", tenant, name="v", key="ten/voices/voi_1", media_type="audio/flac", bytes=900))
    limits = {"keep_seconds": 60, "max_files": 9, "max_bytes": 900}
    rows.execute(add_file("file_1", tenant, filename="a", purpose="batch", bytes=60, key="ten/files/1", **limits))
    assert Growth(rows.engine).record() is False
    uploaded = {"inputs": (1, 100), "uploads": (1, 30), "voices": (1, 900), "media": (0, 0), "files": (1, 60)}
    assert {"outputs": (3, 1012), "previews": (2, 50)} | uploaded == stored(rows)
    (row,) = rows.execute(sizes())
    assert (9, 2152) == (row.store_objects, row.store_bytes)


def test_it_is_done_when_it_is_due_and_replaces_what_was_known(rows):
    tenant = rows.tenant()
    Growth(rows.engine).record()
    assert dict.fromkeys(KINDS, (0, 0)) == stored(rows)
    complete(rows, tenant, 7)
    Growth(rows.engine).record()
    assert (0, 0) == stored(rows)["outputs"]
    make_due(rows)
    Growth(rows.engine).record()
    assert (1, 7) == stored(rows)["outputs"]


@pytest.mark.parametrize(("took", "next_in"), [(0.004, 300), (1.0, 2000), (60.0, 21_600)])
def test_a_count_is_repeated_as_often_as_it_is_cheap(rows, monkeypatch, took, next_in):
    monkeypatch.setattr("workers.cpu.growth.SMALL_OBJECTS", 0)
    record_in(took, rows, monkeypatch)
    assert next_in - 30 < seconds_left(rows) <= next_in


def test_a_small_store_is_counted_at_each_look(rows, monkeypatch):
    """The first count of a new installation finds nothing, and takes long while all else starts beside it."""
    complete(rows, rows.tenant(), 7, 5)
    record_in(60.0, rows, monkeypatch)
    assert seconds_left(rows) < LOOK_SECONDS
    monkeypatch.setattr("workers.cpu.growth.SMALL_OBJECTS", 2)
    make_due(rows)
    record_in(60.0, rows, monkeypatch)
    assert seconds_left(rows) > 21_000


def test_a_count_keeps_no_other_worker_waiting(rows):
    """While a table is locked that it reads, another worker learns at once that the turn is taken."""
    with rows.engine.begin() as connection, ThreadPoolExecutor(1) as threads:
        connection.execute(text("LOCK TABLE voices IN ACCESS EXCLUSIVE MODE"))
        count = threads.submit(Growth(rows.engine).record)
        until(lambda: rows.execute(chores.select()))
        with rows.engine.begin() as other:
            other.execute(text("SET LOCAL lock_timeout = 100"))
            assert other.execute(turn("growth", 60.0)).first() is None
        assert not count.done()
        connection.rollback()
        assert count.result(10) is False
    assert dict.fromkeys(KINDS, (0, 0)) == stored(rows)


def test_a_worker_that_was_lost_in_a_count_is_replaced(rows):
    rows.execute(turn("growth", TURN_SECONDS))
    Growth(rows.engine).record()
    assert {} == stored(rows)
    assert seconds_left(rows) <= 900
    make_due(rows)
    Growth(rows.engine).record()
    assert dict.fromkeys(KINDS, (0, 0)) == stored(rows)


def record_in(seconds, rows, monkeypatch):
    """Count once, which takes so many seconds by the clock that is read."""
    times = iter((0.0, seconds))
    monkeypatch.setattr("workers.cpu.growth.time", SimpleNamespace(monotonic=lambda: next(times)))
    Growth(rows.engine).record()


def make_due(rows):
    rows.execute(update(chores).values(next_at=text("now() - interval '1 second'")))


def seconds_left(rows):
    (row,) = rows.execute(select(extract("epoch", chores.c.next_at - func.now()).label("left")))
    return float(row.left)
