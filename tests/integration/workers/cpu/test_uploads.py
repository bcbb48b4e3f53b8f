"""Sizes of uploads on a real store: what was sent is measured once its link has expired."""

import pytest
from sqlalchemy import func, text

from core.errors.unavailable import StorageUnavailable
from core.settings import Settings
from core.storage.store import open_store
from jobs.schema.tables import uploads
from jobs.statements.media.uploads import add_upload
from workers.cpu.uploads import UploadSizes


@pytest.fixture
def settings(database_url, tmp_path):
    return Settings(
        database_url=database_url, storage_url=f"file://{tmp_path}/objects", input_max_bytes=10, link_seconds=60.0
    )


@pytest.fixture
def store(settings):
    return open_store(settings)


@pytest.fixture
def upload(rows, store, tmp_path):
    """An upload of so many bytes, which was opened an hour ago; None was never sent."""
    tenant = rows.tenant()

    def upload(upload_id, size, *, age="1 hour"):
        key = f"{tenant}/inputs/{upload_id}"
        rows.execute(add_upload(upload_id, tenant, key))
        then = func.now() - text(f"interval '{age}'")
        rows.execute(uploads.update().where(uploads.c.id == upload_id).values(created_at=then))
        if size is not None:
            (tmp_path / "source").write_bytes(bytes(size))
            store.put(key, tmp_path / "source", "image/png")
        return key

    return upload


def sizes(rows):
    return {row.id: row.bytes for row in rows.execute(uploads.select())}


def test_sizes_are_recorded_and_what_was_never_sent_goes(rows, settings, store, upload):
    kept = [upload("inp_empty", 0), upload("inp_full", 10)]
    upload("inp_never", None)
    upload("inp_young", None, age="9 minutes")
    assert UploadSizes(settings, rows.engine, store).record() is False
    assert {"inp_empty": 0, "inp_full": 10, "inp_young": None} == sizes(rows)
    assert sorted(kept) == sorted(store.keys())


def test_what_is_too_large_is_removed(rows, settings, store, upload):
    """A presigned link of S3 bounds no size."""
    upload("inp_large", 11)
    UploadSizes(settings, rows.engine, store).record()
    assert ({}, []) == (sizes(rows), list(store.keys()))


def test_a_store_that_is_away_changes_nothing(rows, settings, store, upload, monkeypatch):
    def size(key):
        raise StorageUnavailable("The object store cannot be reached.")

    upload("inp_a", 1)
    monkeypatch.setattr(store, "size", size)
    with pytest.raises(StorageUnavailable):
        UploadSizes(settings, rows.engine, store).record()
    assert {"inp_a": None} == sizes(rows)
