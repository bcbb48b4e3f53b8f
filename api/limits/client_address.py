"""The address that a request comes from, also behind proxies that the operator has named."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from litestar.connection import ASGIConnection

Network = IPv4Network | IPv6Network

FORWARDED = "X-Forwarded-For"
CUSTOMER_BITS = 64
"""Of an IPv6 address: a customer who has one has all the others that begin alike."""


def parse_proxies(text: str) -> tuple[Network, ...]:
    """Return the ranges of `ATELIER_TRUSTED_PROXIES`, comma-separated. Raises `ValueError` for another form."""
    try:
        return tuple(ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise ValueError(f"ATELIER_TRUSTED_PROXIES: {error}; use addresses or ranges such as 10.0.0.0/8") from None


def client_address(connection: ASGIConnection[Any, Any, Any, Any], proxies: Sequence[Network]) -> str:
    """Return the address of the caller: an IPv4 address, or the /64 of an IPv6 address; "" for a unix socket.

    `X-Forwarded-For` counts from its end, as far as trusted proxies have written it: the entry before the last trusted
    one is the caller's address, and what stands before that is the caller's own text.
    """
    address = connection.client.host if connection.client else ""
    for entry in reversed(",".join(connection.headers.getall(FORWARDED, [])).split(",")):
        before = _bare(entry)
        if not before or not _is_trusted(address, proxies):
            break
        address = before
    return network_of(address)


def network_of(address: str) -> str:
    """Return what counts as one address: an IPv4 address, or the /64 of an IPv6 address; other text as it is."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or ip_network((int(parsed), CUSTOMER_BITS), strict=False))


def _is_trusted(address: str, proxies: Sequence[Network]) -> bool:
    """Return whether `address` is that of a trusted proxy."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return any((mapped or parsed) in network for network in proxies)


def _bare(entry: str) -> str:
    """Return the address of an entry, without brackets and port; "" for other text."""
    text = entry.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ip_address(text))
    except ValueError:
        return ""
