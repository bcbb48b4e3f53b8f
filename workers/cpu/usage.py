"""Usage: the jobs that have ended are added up again and again, by five minutes and later by hours."""

from sqlalchemy import Engine

from core.database import autocommitted
from jobs.statements import usage
from jobs.statements.maintenance.retention import turn

ROLL_UP_SECONDS = 30.0
FOLD_SECONDS = 1800.0


class UsageRollUp:
    """The tasks. They may be called twice at once: one worker at a time has a turn, and a repeat changes nothing."""

    def __init__(self, db: Engine) -> None:
        self._single = autocommitted(db)

    def record(self) -> bool:
        """Add up what has ended; return whether more is missing, as after an outage."""
        with self._single.connect() as connection:
            if connection.execute(turn("usage", ROLL_UP_SECONDS / 2)).first() is None:
                return False
            return any(connection.execute(usage.roll_up()).scalars())

    def fold(self) -> bool:
        """Fold what is old and remove what is very old; return False: there is nothing more to do."""
        with self._single.connect() as connection:
            if connection.execute(turn("old usage", FOLD_SECONDS / 2)).first() is not None:
                connection.execute(usage.fold())
                connection.execute(usage.forget())
        return False
