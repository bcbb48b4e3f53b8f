"""The guard of outgoing connections: the addresses that a caller's URL may lead to.

A URL is checked after its name was resolved: every address must be allowed. The connection then goes to a checked
address, never to the name again, since a second look-up could answer differently.

Operators open ranges with `ATELIER_ALLOWED_NETWORKS`; loopback opens only together with `ATELIER_DEVELOPMENT`;
metadata services and unspecified addresses never open. Ports are those of `ATELIER_ALLOWED_PORTS`, so that a caller
cannot have the service speak to a mail server or a shell.
"""

import socket
from functools import cache
from ipaddress import ip_address, ip_network

import httpx
import msgspec

from core.errors.fields import ForbiddenUrl
from core.net.ip_ranges import LOOPBACK, METADATA, UNSPECIFIED, Address, Network, classify, embedded_addresses, in_any
from core.settings import Settings

PORTS = {"http": 80, "https": 443}
LOOPBACK_KIND = "a loopback address"
METADATA_KIND, UNSPECIFIED_KIND = "a metadata service", "an unspecified address"
NEVER_OPEN = (METADATA_KIND, UNSPECIFIED_KIND)
OPENS_LOOPBACK = "ATELIER_DEVELOPMENT=1 and ATELIER_ALLOWED_NETWORKS=127.0.0.0/8"


class ResolvedUrl(msgspec.Struct, frozen=True, kw_only=True):
    """A URL that may be connected to, and its checked addresses. `host` is for TLS, `authority` for HTTP."""

    url: str
    host: str
    authority: str
    port: int
    addresses: tuple[str, ...]

    def at(self, number: int) -> str:
        """Return the URL with a checked address in place of the name; a retry may take the next `number`."""
        return str(httpx.URL(self.url).copy_with(host=self.addresses[number % len(self.addresses)]))


class AllowedNetwork(msgspec.Struct, frozen=True):
    """A range that the operator has opened, on one port or on all ports."""

    network: Network
    port: int | None


def resolve_and_check(url: str, settings: Settings) -> ResolvedUrl:
    """Resolve the host of `url` and check every address; blocks for as long as the resolver takes.

    Raises `ForbiddenUrl` with a message for the caller that names no address, and `OSError` when the name does not
    resolve now.
    """
    parsed = _parse(url)
    port = PORTS[parsed.scheme] if parsed.port is None else parsed.port
    host = parsed.raw_host.decode()
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise ForbiddenUrl(f"{host[:80]!r} is not a host name; correct the URL.") from None
    addresses = tuple(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found))
    for address in addresses:
        reason = forbidden_reason(ip_address(address), port, settings)
        if reason is not None:
            raise ForbiddenUrl(f"{host!r} leads to {_refusal(reason)}")
        _check_port(port, ip_address(address), settings)
    return ResolvedUrl(url=url, host=host, authority=parsed.netloc.decode(), port=port, addresses=addresses)


def check_literal(url: str, settings: Settings) -> None:
    """Refuse a URL whose host is a forbidden address, in any spelling, or `localhost`.

    It asks no resolver, so every name passes: `resolve_and_check` is for the moment of the connection. Raises
    `ForbiddenUrl`.
    """
    parsed = _parse(url)
    port = PORTS[parsed.scheme] if parsed.port is None else parsed.port
    host = parsed.raw_host.decode().rstrip(".")
    reasons = [forbidden_reason(address, port, settings) for address in _literal(host)]
    if reasons and all(reasons):
        raise ForbiddenUrl(f"{host!r} is {_refusal(reasons[0])}")
    _check_port(port, None, settings)


def forbidden_reason(address: Address, port: int, settings: Settings) -> str | None:
    """Return the kind of a forbidden address, as a noun phrase; None for an address that is allowed."""
    networks = parse_networks(settings.allowed_networks)
    for embedded in embedded_addresses(address):
        if embedded in METADATA:
            return METADATA_KIND
        if in_any(embedded, UNSPECIFIED):
            return UNSPECIFIED_KIND
        opened = any(embedded in one.network and one.port in (None, port) for one in networks)
        if in_any(embedded, LOOPBACK):
            if not (opened and settings.development):
                return LOOPBACK_KIND
        elif not opened and (kind := classify(embedded)) is not None:
            return f"a forbidden address ({kind})"
    return None


def _refusal(reason: str | None) -> str:
    """Return the end of the sentence about a forbidden address: its kind, what to do, and the setting that opens it."""
    sentence = f"{reason}, and the service does not connect there; use a public URL."
    if reason == LOOPBACK_KIND:
        return f"{sentence} For tests on one machine, the operator can run `atelier up --dev`, or set {OPENS_LOOPBACK}."
    return sentence if reason in NEVER_OPEN else f"{sentence} The operator can open it with ATELIER_ALLOWED_NETWORKS."


@cache
def parse_ports(text: str) -> tuple[range, ...]:
    """Parse `ATELIER_ALLOWED_PORTS`: ports and ranges such as `80,443,1025-65535`.

    Raises `ValueError` with the name of the variable and the wrong part.
    """
    return tuple(_parse_port_range(part.strip()) for part in text.split(",") if part.strip())


def _parse_port_range(part: str) -> range:
    first, dash, last = part.partition("-")
    if not first.strip().isdecimal() or (dash and not last.strip().isdecimal()):
        raise ValueError(f"ATELIER_ALLOWED_PORTS: {part!r}: use ports and ranges, as in 80,443,1025-65535")
    ports = range(int(first), int(last or first) + 1)
    if not ports or ports[0] < 1 or ports[-1] > 65535:
        raise ValueError(f"ATELIER_ALLOWED_PORTS: {part!r}: use ports from 1 to 65535, the lower one first")
    return ports


def _check_port(port: int, address: Address | None, settings: Settings) -> None:
    """Raise `ForbiddenUrl` for a port that is not open; an address of None may be any."""
    if any(port in ports for ports in parse_ports(settings.allowed_ports)):
        return
    networks = parse_networks(settings.allowed_networks)
    if any(one.port == port and (address is None or address in one.network) for one in networks):
        return
    raise ForbiddenUrl(
        f"The service does not connect to port {port}; use a URL with one of {settings.allowed_ports}. The operator can"
        " open it with ATELIER_ALLOWED_PORTS."
    )


@cache
def parse_networks(text: str) -> tuple[AllowedNetwork, ...]:
    """Parse `ATELIER_ALLOWED_NETWORKS`: ranges such as `10.0.0.0/8`, `10.1.2.3:9000`, `fd00::/8`, `[fd00::/8]:443`.

    Raises `ValueError` with the name of the variable and the wrong part.
    """
    return tuple(_parse_network(part.strip()) for part in text.split(",") if part.strip())


def _parse_network(part: str) -> AllowedNetwork:
    if part.startswith("["):
        network, _, port = part[1:].partition("]")
        port = port.removeprefix(":")
    elif part.count(":") == 1:
        network, _, port = part.partition(":")
    else:
        network, port = part, ""
    try:
        allowed = AllowedNetwork(ip_network(network), int(port) if port else None)
    except ValueError as error:
        raise ValueError(f"ATELIER_ALLOWED_NETWORKS: {part!r}: {error}") from None
    if allowed.port is not None and not 0 < allowed.port < 65536:
        raise ValueError(f"ATELIER_ALLOWED_NETWORKS: {part!r}: use a port from 1 to 65535")
    return allowed


def _literal(host: str) -> list[Address]:
    """Return the addresses that a host is without a look-up; none for a name.

    A literal is one address, also `127.1`, `0x7f000001` and the like, which the system reads as addresses.
    `localhost` is those of this machine.
    """
    if host == "localhost" or host.endswith(".localhost"):
        return [ip_address("127.0.0.1"), ip_address("::1")]
    try:
        address = host.partition("%")[0]  # without a zone
        found = socket.getaddrinfo(address, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return []
    return [ip_address(str(entry[4][0])) for entry in found]


def _parse(url: str) -> httpx.URL:
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError) as error:
        raise ForbiddenUrl(f"This is not a URL ({error}); send an http:// or https:// URL.") from None
    if parsed.scheme not in PORTS:
        raise ForbiddenUrl("Use an http:// or https:// URL.")
    if not parsed.raw_host:  # `host` would decode `xn--…`, which may be invalid
        raise ForbiddenUrl("This URL has no host; correct it.")
    if parsed.port is not None and not 0 < parsed.port < 65536:
        raise ForbiddenUrl("The port of this URL is out of range; use one from 1 to 65535.")
    return parsed
