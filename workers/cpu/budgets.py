"""Maintenance of budgets: what is reserved for a tenant or a key is the sum of the prices of its unfinished jobs.

Every change of a job keeps it so. A worker or a command of the version before, which ends a job and does not know of
the reservation, leaves the price reserved; here it is released.
"""

import logging

from sqlalchemy import Engine

from core.metrics import UPKEEP
from jobs.statements.budget import lock_tenant, miscounted, recount, recount_keys
from jobs.statements.maintenance.retention import turn

log = logging.getLogger(__name__)

CORRECTION_SECONDS = 60.0
"""How often one of the CPU workers looks."""


class Budgets:
    """The task. It may be called twice at once."""

    def __init__(self, db: Engine) -> None:
        self._db = db

    def correct_reservations(self) -> bool:
        """Correct the reservations that are wrong; return whether more of the same is waiting."""
        with self._db.begin() as connection:
            if connection.execute(turn("reservations", CORRECTION_SECONDS)).first() is None:
                return False
            tenants = connection.execute(miscounted()).scalars().all()
        for tenant in tenants:
            with self._db.begin() as connection:
                connection.execute(lock_tenant(tenant))
                corrected = connection.execute(recount(tenant)).first() is not None
                corrected = connection.execute(recount_keys(tenant)).first() is not None or corrected
            UPKEEP.labels("reservations").inc(corrected)
            if corrected:
                log.info("budgets: reservation corrected tenant=%s", tenant)
        return False
