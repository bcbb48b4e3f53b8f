"""The socket that listens on every interface."""

import errno
import socket

import pytest

from core.net import listening
from core.net.listening import listen_everywhere


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_it_answers_over_both_protocols(host):
    with listen_everywhere(0) as server, socket.create_connection((host, server.getsockname()[1]), timeout=5) as client:
        accepted, _ = server.accept()
        with accepted:
            accepted.sendall(b"hello")
            assert b"hello" == client.recv(5)


def test_a_port_in_use_is_named():
    with listen_everywhere(0) as server, pytest.raises(OSError, match=r"Address already in use$"):
        listen_everywhere(server.getsockname()[1])


@pytest.mark.parametrize("number", [errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL])
def test_a_machine_without_ipv6_is_named(monkeypatch, number):
    def create_server(*args, **kwargs):
        raise OSError(number, "of the system")

    monkeypatch.setattr(listening.socket, "create_server", create_server)
    with pytest.raises(OSError, match=r"this machine has no IPv6 \(.*\), 0\.0\.0\.0 is every interface of IPv4"):
        listen_everywhere(0)
