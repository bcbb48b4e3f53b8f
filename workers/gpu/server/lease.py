"""The lease of a server's name: taken at the start, renewed by heartbeats, given back at the end."""

import logging
import re
import time
from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import Engine

from core.database import autocommitted, is_unreachable, set_statement_timeout
from core.settings import Settings
from jobs.statements import servers
from jobs.statements.queue.beat import HeldClaim, beat
from jobs.wire.servers import ServerFacts

log = logging.getLogger(__name__)

NAME = re.compile(r"[\w.:-]{1,200}", re.ASCII)
"""Form of a server's name, which is part of URLs, of queue names and of Celery's node names."""


class ServerIdTaken(Exception):
    """Another living worker has the server's name."""


class ServerIdLost(Exception):
    """Another worker has taken over the server's name, so that this one must stop at once."""


class Beat(msgspec.Struct, frozen=True, kw_only=True):
    """What a beat has found."""

    desired: str
    """The state that an operator wants: active, cordoned or draining."""
    kept: dict[str, int] = {}
    """The `event_seq` of each job whose lease was renewed, by ticket."""
    gone: tuple[str, ...] = ()
    """Tickets of the claims that are over."""


def check_name(server_id: str) -> None:
    """Raise `ValueError` for a name that no server can have."""
    if not NAME.fullmatch(server_id):
        raise ValueError(
            f"{server_id!r} cannot be a server's name; use letters, digits, and any of _ . : -, at most 200 in all"
        )


class ServerLease:
    """The lease of this server's row; each holder of the name has another `incarnation`."""

    def __init__(self, db: Engine, settings: Settings) -> None:
        self._db = db
        self._single = autocommitted(db)
        self._settings = settings
        self.server_id = settings.server_id
        self.incarnation = 0
        self.skewed = False
        """Whether this machine's clock differs too much from the database's to be trusted."""

    def take(self, facts: ServerFacts, wait: Callable[[float], bool]) -> None:
        """Become the holder; `wait(seconds)` pauses and returns whether to give up.

        Waits for at most `takeover_seconds` while another worker's lease lives, then raises `ServerIdTaken`; waits for
        a database that is away without a limit.
        """
        until = time.monotonic() + self._settings.takeover_seconds
        statement = servers.register(self.server_id, facts, lease_seconds=self._settings.server_lease_seconds)
        while True:
            try:
                with self._single.connect() as connection:
                    row = connection.execute(statement).one_or_none()
            except Exception as error:
                if not is_unreachable(error):
                    raise
                log.warning("server: name not taken yet reason=%r", str(error))
                until = time.monotonic() + self._settings.takeover_seconds
                row = None
            if row is not None:
                self.incarnation = row.incarnation
                self._compare(row.now)
                log.info("server: name taken server_id=%s incarnation=%s", self.server_id, self.incarnation)
                return
            if time.monotonic() > until:
                raise ServerIdTaken(
                    f"another living worker is the server {self.server_id!r}; stop it, or choose another --server-id"
                )
            if wait(min(1.0, self._settings.server_lease_seconds / 5)):
                raise ServerIdTaken(f"stopped while waiting for the name {self.server_id!r}")

    def beat(self, facts: ServerFacts, claims: Sequence[HeldClaim] = ()) -> Beat:
        """Renew the server's lease and those of the claims, and write their progress.

        Raises `ServerIdLost`, and what the database raises.
        """
        statement = beat(
            self.server_id,
            self.incarnation,
            facts,
            claims,
            server_lease_seconds=self._settings.server_lease_seconds,
            lease_seconds=self._settings.lease_seconds,
        )
        with self._db.begin() as connection:
            connection.execute(set_statement_timeout(self._settings.db_timeout))
            row = connection.execute(statement).one_or_none()
        if row is None:
            raise ServerIdLost(f"another worker has taken over the server {self.server_id!r}")
        self._compare(row.now)
        return Beat(desired=row.desired, kept=row.kept, gone=tuple(row.gone))

    def _compare(self, theirs: datetime) -> None:
        """Compare this machine's clock with the database's."""
        skew = abs(theirs.timestamp() - time.time())
        self.skewed = skew > self._settings.clock_skew_limit
        if self.skewed:
            log.error("server: clock skewed, no job is claimed until it is right seconds=%.0f", skew)

    def leave(self) -> None:
        """Give the name back, if this worker has it and the database can be reached."""
        if not self.incarnation:
            return
        try:
            with self._single.connect() as connection:
                connection.execute(servers.leave(self.server_id, self.incarnation))
        except Exception as error:
            if not is_unreachable(error):
                raise
            log.warning("server: name not given back reason=%r", str(error))
