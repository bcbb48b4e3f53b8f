"""Outputs of workers of the version before the media library, which a rolling update leaves running for a while.

They complete their jobs without adding items; here these are added.
"""

import logging
from datetime import datetime

from sqlalchemy import Engine

from core.database import autocommitted
from core.metrics import UPKEEP
from jobs.statements.media.adoption import BATCH, SLICE_SECONDS, adopt_outputs

log = logging.getLogger(__name__)

LOOK_SECONDS = 60.0


class Adoption:
    """The task. Each CPU worker looks through every job that ends, once; several may add the same item at once."""

    def __init__(self, db: Engine) -> None:
        self._single = autocommitted(db)
        self._since: datetime | None = None

    def adopt(self) -> bool:
        """Add the outputs of some jobs that ended since the last call; return whether there may be more."""
        with self._single.connect() as connection:
            found = connection.execute(adopt_outputs(self._since)).one()
        if found.jobs:
            UPKEEP.labels("adoption").inc(found.jobs)
            log.info("adoption: outputs added to the library jobs=%d", found.jobs)
        if found.jobs >= BATCH:
            return True  # of the same time
        before, self._since = self._since, found.until
        return before is None or (found.until - before).total_seconds() >= SLICE_SECONDS
