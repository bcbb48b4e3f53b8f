"""The guard of outgoing connections: which addresses a URL from a user may lead to.

A URL is judged after its name was resolved: every address must be allowed, and the connection goes to a judged
address, never to the name again: a second look-up could answer differently.

Operators open ranges with `ATELIER_ALLOWED_NETWORKS`; loopback opens only together with `ATELIER_DEVELOPMENT`;
metadata services and unspecified addresses never open.
"""

import socket
from functools import cache
from ipaddress import ip_address, ip_network

import httpx
import msgspec

from core.errors import ForbiddenUrl
from core.net.ip_ranges import LOOPBACK, METADATA, UNSPECIFIED, Address, Network, classify, embedded_addresses, in_any
from core.settings import Settings

PORTS = {"http": 80, "https": 443}


class ResolvedUrl(msgspec.Struct, frozen=True, kw_only=True):
    """A URL that may be connected to, and the addresses that were judged. `host` is for TLS, `authority` for HTTP."""

    url: str
    host: str
    authority: str
    port: int
    addresses: tuple[str, ...]

    def at(self, number: int) -> str:
        """The URL with a judged address in place of the name; a retry may take the next `number`."""
        return str(httpx.URL(self.url).copy_with(host=self.addresses[number % len(self.addresses)]))


class AllowedNetwork(msgspec.Struct, frozen=True):
    """A range that the operator has opened, on one port or on all."""

    network: Network
    port: int | None


def resolve_and_check(url: str, settings: Settings) -> ResolvedUrl:
    """Resolve the host of `url` and judge every address. Blocks for as long as the resolver takes.

    Raises `ForbiddenUrl` with a sentence for the caller, which names no address; `OSError` when the name does not
    resolve now.
    """
    parsed = _parse(url)
    port = PORTS[parsed.scheme] if parsed.port is None else parsed.port
    host = parsed.raw_host.decode()
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise ForbiddenUrl(f"{host[:80]!r} is no host name.") from None
    addresses = tuple(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found))
    for address in addresses:
        reason = forbidden_reason(ip_address(address), port, settings)
        if reason is not None:
            raise ForbiddenUrl(f"{host!r} leads to {reason}, and the service does not connect there.")
    return ResolvedUrl(url=url, host=host, authority=parsed.netloc.decode(), port=port, addresses=addresses)


def check_literal(url: str, settings: Settings) -> None:
    """Refuse a URL whose host is a forbidden address as it stands, however it is written, or `localhost`.

    Asks no resolver, so a name passes whatever it leads to: `resolve_and_check` is for the moment of the connection.
    Raises `ForbiddenUrl`.
    """
    parsed = _parse(url)
    port = PORTS[parsed.scheme] if parsed.port is None else parsed.port
    host = parsed.raw_host.decode().rstrip(".")
    reasons = [forbidden_reason(address, port, settings) for address in _literal(host)]
    if reasons and all(reasons):
        raise ForbiddenUrl(f"{host!r} is {reasons[0]}, and the service does not connect there.")


def forbidden_reason(address: Address, port: int, settings: Settings) -> str | None:
    """What kind of forbidden address this is; none for one that may be connected to."""
    openings = parse_networks(settings.allowed_networks)
    for face in embedded_addresses(address):
        if face in METADATA:
            return "a metadata service"
        if in_any(face, UNSPECIFIED):
            return "an unspecified address"
        opened = any(face in opening.network and opening.port in (None, port) for opening in openings)
        if in_any(face, LOOPBACK):
            if not (opened and settings.development):
                return "a loopback address"
        elif not opened and (what := classify(face)) is not None:
            return f"a forbidden address ({what})"
    return None


@cache
def parse_networks(text: str) -> tuple[AllowedNetwork, ...]:
    """`ATELIER_ALLOWED_NETWORKS`: ranges such as `10.0.0.0/8`, `10.1.2.3:9000`, `fd00::/8` and `[fd00::/8]:443`.

    Raises `ValueError` that names the variable and the part that is wrong.
    """
    return tuple(_opening(part.strip()) for part in text.split(",") if part.strip())


def _opening(part: str) -> AllowedNetwork:
    if part.startswith("["):
        network, _, port = part[1:].partition("]")
        port = port.removeprefix(":")
    elif part.count(":") == 1:
        network, _, port = part.partition(":")
    else:
        network, port = part, ""
    try:
        opening = AllowedNetwork(ip_network(network), int(port) if port else None)
    except ValueError as error:
        raise ValueError(f"ATELIER_ALLOWED_NETWORKS: {part!r}: {error}") from None
    if opening.port is not None and not 0 < opening.port < 65536:
        raise ValueError(f"ATELIER_ALLOWED_NETWORKS: {part!r}: a port is 1 to 65535")
    return opening


def _literal(host: str) -> list[Address]:
    """The addresses that a host is without any look-up: one for a literal, also `127.1`, `0x7f000001` and the like,
    which the system takes for addresses; those of this machine for `localhost`; none for any other name.
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
        raise ForbiddenUrl(f"This is no URL: {error}.") from None
    if parsed.scheme not in PORTS:
        raise ForbiddenUrl("Use an http:// or https:// URL.")
    if not parsed.raw_host:  # `host` would decode `xn--…`, which may be none
        raise ForbiddenUrl("This URL names no host.")
    if parsed.port is not None and not 0 < parsed.port < 65536:
        raise ForbiddenUrl("This URL names no possible port.")
    return parsed
