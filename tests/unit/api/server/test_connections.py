"""Open connections: bounds in all and by address, and which one gives way."""

from api.server.connections import LOOK, OpenConnections


class Peer:
    """A connection that notes whether it was closed."""

    def __init__(self, waiting=True):
        self.waiting = waiting
        self.closed = False

    def give_way(self):
        self.closed = True


def admitted(connections, count, address="10.0.0.1", waiting=True):
    peers = [Peer(waiting) for _ in range(count)]
    assert all(connections.admit(peer, address) for peer in peers)
    return peers


def test_the_oldest_waiting_connection_of_an_address_gives_way():
    connections = OpenConnections(100, 3)
    neighbor = admitted(connections, 1, "10.0.0.2")
    busy, oldest, other = [*admitted(connections, 1, waiting=False), *admitted(connections, 2)]
    admitted(connections, 1)
    assert [False, True, False] == [busy.closed, oldest.closed, other.closed]
    assert (4, False) == (len(connections), neighbor[0].closed)


def test_an_address_with_all_of_its_connections_in_use():
    connections = OpenConnections(100, 3)
    admitted(connections, 3, waiting=False)
    assert not connections.admit(Peer(), "10.0.0.1")
    assert connections.admit(Peer(), "10.0.0.2")
    assert 4 == len(connections)


def test_the_bound_of_all_holds_for_any_address():
    connections = OpenConnections(3, 0)
    peers = admitted(connections, 3)
    admitted(connections, 1, "10.0.0.2")
    assert [True, False, False] == [peer.closed for peer in peers]
    assert 3 == len(connections)


def test_those_in_use_are_not_looked_at_again_and_again():
    connections = OpenConnections(LOOK + 1, 0)
    admitted(connections, LOOK, waiting=False)
    (waiting,) = admitted(connections, 1)
    assert not connections.admit(Peer(), "10.0.0.2")  # all that were looked at are in use
    assert connections.admit(Peer(), "10.0.0.2")
    assert waiting.closed


def test_a_closed_connection_makes_room():
    connections = OpenConnections(10, 1)
    (peer,) = admitted(connections, 1, waiting=False)
    connections.discard(peer)
    connections.discard(peer)
    assert 0 == len(connections)
    admitted(connections, 1)


def test_a_customer_of_ipv6_is_one_address():
    connections = OpenConnections(100, 2)
    admitted(connections, 1, "2001:db8:1:2::1", waiting=False)
    admitted(connections, 1, "2001:db8:1:2:ffff::", waiting=False)
    assert not connections.admit(Peer(), "2001:db8:1:2::2")
    assert connections.admit(Peer(), "2001:db8:1:3::1")


def test_nothing_stays_of_an_address_that_is_gone():
    connections = OpenConnections(1, 1)
    (busy,) = admitted(connections, 1, waiting=False)
    for number in range(2, 5):
        assert not connections.admit(Peer(), f"10.0.0.{number}")
    connections.discard(busy)
    assert ({}, {}) == (connections._all, connections._by_network)
