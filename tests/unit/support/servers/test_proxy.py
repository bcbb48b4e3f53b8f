"""The proxy of the fault kit, before a server that repeats what it hears."""

import socket
import threading
from contextlib import suppress

import pytest

from tests.support.servers.proxy import Proxy


@pytest.fixture
def proxy():
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve():
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=echo, args=[connection], daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        with Proxy(listening.getsockname()[1]) as made:
            yield made
        listening.shutdown(socket.SHUT_RDWR)


def echo(connection):
    with connection, suppress(ConnectionResetError):
        while data := connection.recv(100):
            connection.sendall(data)


def connect(proxy):
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=10)


def said(connection, words):
    connection.sendall(words)
    return connection.recv(100)


def test_it_passes_on_in_both_directions_and_ends_with_its_ends(proxy):
    with connect(proxy) as one, connect(proxy) as two:
        assert (b"a", b"b") == (said(one, b"a"), said(two, b"b"))
        one.shutdown(socket.SHUT_WR)
        assert b"" == one.recv(1)
        assert b"c" == said(two, b"c")


def test_it_loses_one_answer(proxy):
    proxy.losing = True
    with connect(proxy) as one, connect(proxy) as two:
        assert b"" == said(one, b"a")
        assert (b"b", False) == (said(two, b"b"), proxy.losing)


def test_it_delays(proxy):
    proxy.delay = 0.2
    with connect(proxy) as connection:
        connection.sendall(b"a")
        connection.settimeout(0.1)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(10)
        assert b"a" == connection.recv(1)


def test_it_cuts_what_is_open_and_takes_the_next(proxy):
    with connect(proxy) as connection:
        said(connection, b"a")
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
        with connect(proxy) as another:
            assert b"b" == said(another, b"b")


def test_half_open_connections_stay_deaf_and_later_ones_pass(proxy):
    with connect(proxy) as old:
        said(old, b"a")
        proxy.drop()
        with connect(proxy) as taken:
            for connection in (old, taken):
                connection.sendall(b"b")
                connection.settimeout(0.1)
                with pytest.raises(TimeoutError):
                    connection.recv(1)
            proxy.heal()
            with connect(proxy) as new:
                assert b"c" == said(new, b"c")
            for connection in (old, taken):
                with pytest.raises(TimeoutError):
                    connection.recv(1)


def test_caller_is_reset_when_nothing_listens_behind():
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with Proxy(port) as proxy, pytest.raises(ConnectionResetError), connect(proxy) as connection:
        connection.recv(1)  # unless the reset came while it connected
