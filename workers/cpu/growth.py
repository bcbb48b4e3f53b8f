"""Growth: how much is stored is measured a few times a day."""

import logging

from sqlalchemy import Engine

from jobs.statements.maintenance.growth import measure
from jobs.statements.maintenance.retention import turn

log = logging.getLogger(__name__)

LOOK_SECONDS = 60.0
MEASURE_SECONDS = 6 * 3600.0
"""How often one of the CPU workers adds up what is stored: it reads every job that has outputs."""


class Growth:
    """The task. It may be called twice at once."""

    def __init__(self, db: Engine) -> None:
        self._db = db

    def record(self) -> bool:
        """Add up what is stored, where it is due; return False: there is nothing more to do."""
        with self._db.begin() as connection:
            if connection.execute(turn("growth", MEASURE_SECONDS)).first() is not None:
                connection.execute(measure())
                log.info("growth: measured")
        return False
