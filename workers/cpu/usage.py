"""Usage: the jobs that have ended are added up again and again, by five minutes and later by hours."""

from sqlalchemy import Engine

from core.database import autocommitted
from jobs.statements import usage
from jobs.statements.maintenance.retention import turn

ROLL_UP_SECONDS = 15.0
FOLD_SECONDS = 1800.0


class UsageRollUp:
    """The task. It may be called twice at once: one worker at a time has a turn, and a repeat changes nothing."""

    def __init__(self, db: Engine) -> None:
        self._single = autocommitted(db)

    def record(self) -> bool:
        """Add up what has ended, and fold what is old; return whether more is missing, as after an outage."""
        with self._single.connect() as connection:
            if connection.execute(turn("usage", ROLL_UP_SECONDS / 2)).first() is None:
                return False
            is_behind = any(connection.execute(usage.roll_up()).scalars())
            if not is_behind and connection.execute(turn("old usage", FOLD_SECONDS)).first() is not None:
                connection.execute(usage.fold())
                connection.execute(usage.forget())
        return is_behind
