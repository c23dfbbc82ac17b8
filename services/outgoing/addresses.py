"""Which addresses are public, which are a private network's, and which stand for another; pure."""

from collections.abc import Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_network,
)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

LOOPBACKS = (IPv4Address("127.0.0.1"), IPv6Address("::1"))
"""This machine."""

# The registries of special-purpose addresses, written out: what `ipaddress` calls global has
# changed between releases of Python.
_SPECIAL = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",  # answers virtual machines of one cloud, from a public block
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "2001::/23",  # Teredo and ORCHID among them
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
    )
)
_GLOBAL_UNICAST = IPv6Network("2000::/3")
# A host that the operator has named may be in these, and in no other special network.
_INSIDE = tuple(
    ip_network(text)
    for text in (
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "::1/128",
        "fc00::/7",
    )
)
# Where clouds hand credentials to machines, inside the networks above.
_METADATA = tuple(ip_network(text) for text in ("100.100.100.200/32", "fd00:ec2::/32"))
_NAT64 = IPv6Network("64:ff9b::/96")


def is_public(address: Address) -> bool:
    """Tell whether anybody's network leads there."""
    there = meant(address)
    is_global = isinstance(there, IPv4Address) or there in _GLOBAL_UNICAST
    return is_global and not _within(there, _SPECIAL)


def is_inside(address: Address) -> bool:
    """Tell whether it is in a private network, and is no place of a cloud's credentials."""
    there = meant(address)
    return _within(there, _INSIDE) and not _within(there, _METADATA)


def meant(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address stands for, where networks translate it."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def written(address: Address) -> str:
    """Return an address as it is connected to."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def _within(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)
