"""Address ranges outside the public internet, after IANA's special-purpose registries.

Python's `is_global` does not suffice: depending on its version it accepts NAT64, 6to4 and others.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

METADATA = tuple(
    ip_address(text)
    for text in (
        "169.254.169.254",  # AWS, Google, Azure, OpenStack and others
        "169.254.170.2",  # AWS, container credentials
        "169.254.170.23",  # AWS, pod identity
        "fd00:ec2::23",
        "fd00:ec2::254",
        "fd20:ce::254",  # Google
        "100.100.100.200",  # Alibaba
        "168.63.129.16",  # Azure's host, a public address
        "192.0.0.192",  # Oracle
    )
)
UNSPECIFIED = (ip_network("0.0.0.0/8"), ip_network("::/128"))
LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
FORBIDDEN: dict[Network, str] = {
    ip_network(text): kind
    for text, kind in {
        "10.0.0.0/8": "private",
        "100.64.0.0/10": "carrier-grade NAT",
        "169.254.0.0/16": "link-local",
        "172.16.0.0/12": "private",
        "192.0.0.0/24": "protocol",
        "192.0.2.0/24": "documentation",
        "192.88.99.0/24": "6to4 relay",
        "192.168.0.0/16": "private",
        "198.18.0.0/15": "benchmarking",
        "198.51.100.0/24": "documentation",
        "203.0.113.0/24": "documentation",
        "224.0.0.0/4": "multicast",
        "240.0.0.0/4": "reserved",
        "::/96": "IPv4-compatible",
        "64:ff9b::/96": "NAT64",
        "64:ff9b:1::/48": "NAT64",
        "100::/64": "discard",
        "2001::/32": "Teredo",
        "2001::/23": "protocol",
        "2001:db8::/32": "documentation",
        "2002::/16": "6to4",
        "3fff::/20": "documentation",
        "fc00::/7": "private",
        "fe80::/10": "link-local",
        "fec0::/10": "site-local",
        "ff00::/8": "multicast",
    }.items()
}
GLOBAL_UNICAST = ip_network("2000::/3")
NAT64 = ip_network("64:ff9b::/96")
V4_COMPATIBLE = ip_network("::/96")


def embedded_addresses(address: Address) -> Iterator[Address]:
    """Yield the address itself, and each IPv4 address that it embeds: another spelling of it, or a way to reach it."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        yield address.ipv4_mapped
        return
    yield address
    if isinstance(address, IPv6Address):
        if address.sixtofour is not None:
            yield address.sixtofour
        if address.teredo is not None:
            yield from address.teredo
        if address in NAT64 or (address in V4_COMPATIBLE and int(address) > 0xFFFF):
            yield IPv4Address(int(address) & 0xFFFFFFFF)


def classify(address: Address) -> str | None:
    """Return the kind of an address outside the public internet, e.g. `private`; None for a public address."""
    for network, name in FORBIDDEN.items():
        if address in network:
            return name
    return None if isinstance(address, IPv4Address) or address in GLOBAL_UNICAST else "not global"


def in_any(address: Address, networks: tuple[Network, ...]) -> bool:
    """Return whether one of the networks contains the address."""
    return any(address in network for network in networks)
