"""Growth: what is stored is counted again and again, as often as the count is cheap."""

import logging
import time

from sqlalchemy import Engine

from core.database import autocommitted
from jobs.statements.maintenance.growth import measure
from jobs.statements.maintenance.retention import postpone_turn, turn

log = logging.getLogger(__name__)

LOOK_SECONDS = 60.0
OFTEN_SECONDS = 300.0
SELDOM_SECONDS = 6 * 3600.0
"""Bounds of the time between two counts: one reads every job that has outputs."""
PAUSE_PER_SECOND = 2000.0
"""Seconds until the next count for each second that the last one took."""
SMALL_OBJECTS = 10_000
SMALL_SECONDS = LOOK_SECONDS / 2
"""A store of fewer objects is counted at each look: that is cheap, however long one count took on a busy machine."""
TURN_SECONDS = 900.0
"""How long a count is one worker's; a worker that has not ended it then counts as lost."""


class Growth:
    """The task. It may be called twice at once."""

    def __init__(self, db: Engine) -> None:
        self._single = autocommitted(db)

    def record(self) -> bool:
        """Count what is stored, where it is due; return False: there is nothing more to do.

        The turn, the count and the time of the next one are three transactions, so that none keeps a lock, or old rows
        of the whole database, longer than its own statement takes.
        """
        with self._single.connect() as connection:
            if connection.execute(turn("growth", TURN_SECONDS)).first() is None:
                return False
            begun_at = time.monotonic()
            objects = sum(row.objects for row in connection.execute(measure()))
            seconds = time.monotonic() - begun_at
            pause = min(max(PAUSE_PER_SECOND * seconds, OFTEN_SECONDS), SELDOM_SECONDS)
            if objects < SMALL_OBJECTS:
                pause = SMALL_SECONDS
            connection.execute(postpone_turn("growth", pause))
            log.info("growth: counted seconds=%.2f next_in=%.0f", seconds, pause)
        return False
