"""The socket that listens on every interface."""

import errno
import socket

import pytest

from core.net.listening import listen_everywhere

NO_IPV6 = r"this machine has no IPv6 \(.*\), 0\.0\.0\.0 is every interface of IPv4"


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


def test_a_machine_without_ipv6_is_named(monkeypatch):
    class Socket(socket.socket):
        """That of a kernel that was started without IPv6."""

        def __init__(self, family=-1, *arguments, **options):
            if family == socket.AF_INET6:
                raise OSError(errno.EAFNOSUPPORT, "of the system")
            super().__init__(family, *arguments, **options)

    monkeypatch.setattr(socket, "socket", Socket)
    with pytest.raises(OSError, match=NO_IPV6):
        listen_everywhere(0)


def test_an_interface_without_ipv6_is_named(monkeypatch):
    def create_server(*args, **kwargs):
        raise OSError(errno.EADDRNOTAVAIL, "of the system")

    monkeypatch.setattr(socket, "create_server", create_server)
    with pytest.raises(OSError, match=NO_IPV6):
        listen_everywhere(0)
