"""Where a request comes from: what trusted proxies have written, and nothing that a caller wrote."""

from types import SimpleNamespace

import pytest
from litestar.datastructures import Headers

from api.limits.client_address import client_address, network_of, parse_proxies

PROXIES = parse_proxies("10.0.0.0/8, 192.0.2.1, fd00::/8")


def address(peer, *forwarded, proxies=PROXIES):
    headers = Headers([(b"x-forwarded-for", value.encode()) for value in forwarded])
    client = SimpleNamespace(host=peer) if peer else None
    return client_address(SimpleNamespace(client=client, headers=headers), proxies)


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        ("203.0.113.9", (), "203.0.113.9"),
        ("203.0.113.9", ("198.51.100.1",), "203.0.113.9"),
        ("10.0.0.1", ("198.51.100.1",), "198.51.100.1"),
        ("10.0.0.1", ("1.1.1.1, 198.51.100.1",), "198.51.100.1"),
        ("10.0.0.1", ("1.1.1.1", "198.51.100.1, 10.2.3.4"), "198.51.100.1"),
        ("10.0.0.1", ("1.1.1.1, 10.2.3.4",), "1.1.1.1"),
        ("10.0.0.1", (), "10.0.0.1"),
        ("10.0.0.1", ("",), "10.0.0.1"),
        ("10.0.0.1", ("1.1.1.1, unknown",), "10.0.0.1"),
        ("10.0.0.1", ("1.1.1.1, nonsense, 10.2.3.4",), "10.2.3.4"),
        ("10.0.0.1", ("198.51.100.1:4711",), "198.51.100.1"),
        ("fd00::1", ("[2001:db8:0:1:2::3]:4711",), "2001:db8:0:1::/64"),
        ("2001:db8::1", (), "2001:db8::/64"),
        ("::ffff:10.0.0.1", ("198.51.100.1",), "198.51.100.1"),
        ("::ffff:203.0.113.9", (), "203.0.113.9"),
        ("", ("198.51.100.1",), ""),
    ],
)
def test_the_address_of_a_request(peer, forwarded, found):
    assert found == address(peer, *forwarded)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_a_customer_of_ipv6_is_one_network(address, network):
    assert network == network_of(address)


def test_without_proxies_no_header_counts():
    assert "10.0.0.1" == address("10.0.0.1", "1.1.1.1", proxies=parse_proxies(""))


@pytest.mark.parametrize("text", ["10.0.0.0/33", "proxy.example", "10.0.0.0/8;10.1.0.0/16"])
def test_proxies_of_another_form_are_refused(text):
    with pytest.raises(ValueError, match=r"^ATELIER_TRUSTED_PROXIES: "):
        parse_proxies(text)
