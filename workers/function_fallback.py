"""The fallback from functions of the database to their plain statements, while a database lacks the functions."""

import logging
import time

from sqlalchemy.exc import ProgrammingError

from core.database import UNDEFINED_FUNCTION, state_of

log = logging.getLogger(__name__)

AGAIN_SECONDS = 60.0
"""How often a worker tries the functions that its database lacked."""


class FunctionFallback:
    """Whether plain statements are to be executed, because `atelier migrate` has not added this version's functions."""

    def __init__(self) -> None:
        self._until = 0.0

    @property
    def active(self) -> bool:
        """Whether the functions are known to be missing."""
        return time.monotonic() < self._until

    def begin_for(self, error: ProgrammingError) -> bool:
        """Begin, if this error says that a function is missing; returns whether it does."""
        if state_of(error) != UNDEFINED_FUNCTION:
            return False
        log.warning("database: functions missing, each statement is planned anew; run `atelier migrate`")
        self._until = time.monotonic() + AGAIN_SECONDS
        return True
