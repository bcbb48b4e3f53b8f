"""The address of the API and its URLs."""

import errno
import socket

import pytest

from cli.local.address import Address, AddressTaken, free_address


def test_a_host_is_part_of_both_urls():
    assert "http://192.0.2.1:80" == Address("192.0.2.1", 80).url == Address("192.0.2.1", 80).local_url
    assert "http://[::1]:80" == Address("::1", 80).url


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.0.2.1", False),
        ("gpu-box", False),
    ],
)
def test_which_hosts_only_this_machine_reaches(host, is_loopback):
    assert is_loopback == Address(host, 80).is_loopback


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_every_interface_is_the_host_name_and_loopback(host):
    assert f"http://{socket.gethostname()}:80" == Address(host, 80).url
    assert "http://127.0.0.1:80" == Address(host, 80).local_url


def test_a_port_in_use_is_refused_with_advice():
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = Address("127.0.0.1", server.getsockname()[1])
        with pytest.raises(AddressTaken, match=r"Address already in use; choose another --port or --host"):
            taken.refuse_taken()


def test_a_free_address_is_free():
    free_address().refuse_taken()


def test_a_port_of_ipv4_alone_is_taken_for_every_interface():
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        pytest.raises(AddressTaken, match="cannot listen on :: port"),
    ):
        Address("::", server.getsockname()[1]).refuse_taken()


def test_a_machine_without_ipv6_is_one_sentence(monkeypatch):
    def create_server(*args, **kwargs):
        raise OSError(errno.EAFNOSUPPORT, "of the system")

    monkeypatch.setattr(socket, "create_server", create_server)
    with pytest.raises(AddressTaken, match="cannot listen on :: port 80: this machine has no IPv6"):
        Address("::", 80).refuse_taken()
