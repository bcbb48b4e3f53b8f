"""The watch over backends that come before this server: their jobs of a model are left to them while they are up."""

import logging
from collections.abc import Callable

from sqlalchemy import Engine

from pipelines.catalog.backends import LOCAL
from workers.backend_order import read_living, turn
from workers.gpu.server.offer import ServerOffer

log = logging.getLogger(__name__)


class BackendWatch:
    """A duty of the keep thread; `on_change` is called when jobs of other models may be claimed than before.

    Where no model of the catalog has a backend before the servers of this installation, it does nothing.
    """

    def __init__(self, db: Engine, offer: ServerOffer, on_change: Callable[[], None]) -> None:
        self._db = db
        self._offer = offer
        self._on_change = on_change

    def look(self) -> None:
        """Read which backends are up; while the database does not say, the offer stays as it is."""
        specs = [spec for spec in map(self._offer.catalog.get, self._offer.models) if spec.order[0] != LOCAL]
        if not specs:
            return
        try:
            servers = read_living(self._db)
        except Exception as error:
            log.warning("backends: not read reason=%r", str(error))
            return
        turns = {spec.id: turn(spec, LOCAL, LOCAL, servers) for spec in specs}
        reserved = frozenset(model for model, one in turns.items() if one.waited_seconds is None)
        notes = tuple((model, one.noted) for model, one in turns.items())
        if (reserved, notes) != (self._offer.reserved, self._offer.notes):
            self._offer.reserved, self._offer.notes = reserved, notes
            self._on_change()
