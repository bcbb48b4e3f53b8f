"""The open connections of this process, bounded in all and by address.

A connection that waits for a request gives way to a new one, so that sockets which say nothing keep no client out. A
new one is refused only where all of them are in the middle of a request.
"""

from collections import defaultdict
from itertools import islice
from typing import Any, Protocol

from api.limits.client_address import network_of

LOOK = 16
"""Connections that are looked at for one to give way; those in use go to the end of the line."""


class Connection(Protocol):
    """One connection, as `OpenConnections` sees it."""

    @property
    def waiting(self) -> bool:
        """Whether no request of it is in progress."""

    def give_way(self) -> None:
        """Close it."""


class OpenConnections:
    """The connections in the order in which they were last seen in use; `most_per_address` 0 is for no bound."""

    def __init__(self, most: int, most_per_address: int) -> None:
        self._most = most
        self._most_per_address = most_per_address
        self._all: dict[Connection, str] = {}
        self._by_network: defaultdict[str, dict[Connection, None]] = defaultdict(dict)

    def __len__(self) -> int:
        return len(self._all)

    def admit(self, connection: Connection, address: str) -> bool:
        """Count a new connection; return False, and count nothing, where none gives way to it."""
        network = network_of(address)
        neighbors = self._by_network.get(network, {})
        if self._most_per_address and len(neighbors) >= self._most_per_address and not self._make_room(neighbors):
            return False
        if len(self._all) >= self._most and not self._make_room(self._all):
            return False
        self._all[connection] = network
        self._by_network[network][connection] = None
        return True

    def discard(self, connection: Connection) -> None:
        """Count a connection no longer, if it was counted."""
        network = self._all.pop(connection, None)
        if network is not None:
            neighbors = self._by_network[network]
            del neighbors[connection]
            if not neighbors:
                del self._by_network[network]

    def _make_room(self, line: dict[Connection, Any]) -> bool:
        for connection in list(islice(line, LOOK)):
            if connection.waiting:
                self.discard(connection)
                connection.give_way()
                return True
            line[connection] = line.pop(connection)
        return False
