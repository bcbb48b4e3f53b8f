"""Sizes of uploads, which only the store knows: with S3 the file does not pass through the API."""

import logging

from sqlalchemy import Engine

from core.errors.unknown import UnknownOutput
from core.metrics import UPKEEP
from core.settings import Settings
from core.storage.store import Store
from jobs.statements.media.uploads import BATCH, forget_upload, measured, unmeasured

log = logging.getLogger(__name__)

SIZES_SECONDS = 60.0
"""How often sizes are looked at."""
GRACE_SECONDS = 600.0
"""How long after its link has expired an upload that has begun may take."""


class UploadSizes:
    """The task. It may be called twice at once."""

    def __init__(self, settings: Settings, db: Engine, store: Store) -> None:
        self._settings = settings
        self._db = db
        self._store = store

    def record(self) -> bool:
        """Record the sizes of uploads whose link has expired; return whether more of the same is waiting.

        What was never sent is forgotten, and what is too large for an input is removed: a presigned link of S3 bounds
        no size. No transaction is open while the store is asked. Raises `StorageUnavailable`.
        """
        with self._db.begin() as connection:
            due = connection.execute(unmeasured(self._settings.link_seconds + GRACE_SECONDS)).all()
        for row in due:
            size = self._size(row.key)
            if size is not None and size > self._settings.input_max_bytes:
                log.warning("uploads: removed, too large id=%s bytes=%d", row.id, size)
                self._store.remove(row.key)
                size = None
            with self._db.begin() as connection:
                connection.execute(forget_upload(row.id) if size is None else measured(row.id, size))
            UPKEEP.labels("sizes").inc()
        return len(due) >= BATCH

    def _size(self, key: str) -> int | None:
        try:
            return self._store.size(key)
        except UnknownOutput:
            return None
