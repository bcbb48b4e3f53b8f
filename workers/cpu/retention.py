"""Retention: prompts, outputs, deliveries and jobs go when their time is over, orphaned objects within days.

Statements skip rows that another worker has locked, and an object may be removed twice: any number of CPU workers may
run. A row forgets its outputs before they are removed, so that no caller sees a part of them; what the store does not
remove then is an orphan.
"""

import logging
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TypeVar

from sqlalchemy import Engine, Executable, Row

from core.database import autocommitted
from core.errors.unavailable import StorageUnavailable
from core.metrics import UPKEEP
from core.settings import Settings
from core.storage.store import Store
from jobs.statements.maintenance import retention
from workers.cpu.job_maintenance import MAX_FAILURES

log = logging.getLogger(__name__)

T = TypeVar("T")

PAGE = 500
"""How many keys of the store are looked up at once."""
ROUNDS_PER_DAY = 4
"""How often the whole store is listed while an orphan grows old enough to go."""


class Retention:
    """Two tasks. Both return whether more of the same is waiting; neither is called twice at once."""

    def __init__(self, settings: Settings, db: Engine, store: Store) -> None:
        self._settings = settings
        self._single = autocommitted(db)
        self._store = store
        self._round: Iterator[str] | None = None

    def forget_expired(self) -> bool:
        """Forget prompts, outputs, deliveries, jobs and bare rows that are older than their tenants' retention."""
        settings = self._settings
        prompts = self._execute(retention.scrub_prompts(settings.prompt_keep_seconds))
        outputs = self._execute(retention.forget_outputs(settings.output_keep_seconds))
        deliveries = self._execute(retention.forget_old_deliveries(settings.delivery_keep_seconds))
        jobs = self._execute(retention.forget_jobs(settings.job_keep_seconds))
        bare = self._execute(retention.forget_bare_rows(settings.row_keep_seconds))
        self._remove([job.prefix for job in outputs])
        forgotten = {"prompts": prompts, "outputs": outputs, "deliveries": deliveries, "jobs": jobs, "rows": bare}
        for kind, rows in forgotten.items():
            UPKEEP.labels(kind).inc(len(rows))
            if rows:
                log.info("retention: forgotten %s=%d", kind, len(rows))
        return max(map(len, forgotten.values())) >= retention.BATCH

    def remove_orphans(self) -> bool:
        """Remove a page of the objects that no row names and that are older than `ATELIER_ORPHAN_SECONDS`.

        One worker at a time goes through the whole store, four times in that span. Raises `StorageUnavailable`.
        """
        if self._round is None:
            span = self._settings.orphan_seconds
            if span <= 0 or not self._execute(retention.turn("orphans", span / ROUNDS_PER_DAY)):
                return False
            self._abort_unfinished(span)
            self._round = self._store.older(span)
        try:
            page = list(islice(self._round, PAGE))
            for row in self._execute(retention.orphans(page)) if page else ():
                log.info("orphans: removed key=%s", row.key)
                self._store.remove(row.key)
                UPKEEP.labels("orphans").inc()
        except BaseException:
            self._round = None
            raise
        if len(page) < PAGE:
            self._round = None
        return len(page) == PAGE

    def _abort_unfinished(self, span: float) -> None:
        """Abort the tenants' uploads in parts that no process will finish."""
        try:
            for page in _pages(self._store.unfinished(span)):
                ours = {row.key for row in self._execute(retention.of_tenants([key for key, _ in page]))}
                for key, upload_id in page:
                    if key in ours:
                        log.info("orphans: aborted the unfinished upload of key=%s", key)
                        self._store.abort(key, upload_id)
                        UPKEEP.labels("orphans").inc()
        except StorageUnavailable as error:  # a server without such a list must not keep the others from their turn
            log.warning("orphans: unfinished uploads not aborted reason=%s", error.detail)

    def _execute(self, statement: Executable) -> list[Row[tuple[str, ...]]]:
        with self._single.connect() as connection:
            return list(connection.execute(statement))

    def _remove(self, prefixes: Sequence[str]) -> None:
        """Remove objects; after some failures in a row the rest are left to the sweep of orphans."""
        failures = 0
        for number, prefix in enumerate(prefixes, 1):
            try:
                self._store.remove_prefix(prefix)
                failures = 0
            except StorageUnavailable as error:
                failures += 1
                log.warning("retention: not removed prefix=%s reason=%s; it is an orphan now", prefix, error.detail)
            if failures == MAX_FAILURES:
                log.warning("retention: the store is away orphans=%d", len(prefixes) - number)
                return


def _pages(items: Iterator[T]) -> Iterator[list[T]]:
    while page := list(islice(items, PAGE)):
        yield page
