"""Decides which endpoints may be called, so that nobody can point Placet at a private network."""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from services.outgoing.addresses import (
    LOOPBACKS,
    Address,
    Network,
    is_inside,
    is_public,
    meant,
    written,
)

SETTING = "PLACET_WEBHOOK_ALLOW"
OPEN_PORTS = frozenset({443, 8443})
URL_CHARS = 2048
HOST_CHARS = 253
HIGHEST_PORT = 65_535
MAX_ENTRIES = 256

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Looks a name up and returns every address of it, as text; raises OSError."""

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
# Resolvers read 2130706433, 0x7f.1 or 0177.0.0.1 as addresses; so a last label of digits is one.
_NUMERIC = re.compile(r"(0x[0-9a-f]*|[0-9]+)")
_ENTRY = re.compile(r"(?P<host>\[[0-9a-f:.]+\]|[^:\[\]/]+)(:(?P<port>[0-9]{1,5}))?")


class NotAllowedUrl(Exception):
    """Nothing is sent to this URL: the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the operator lets webhooks reach beyond public https endpoints: nothing by default."""

    networks: tuple[Network, ...] = ()
    hosts: frozenset[tuple[str, int | None]] = field(default_factory=frozenset)

    def names(self, host: str, port: int) -> bool:
        """Whether the operator named this host, with this port or with none."""
        return (host, port) in self.hosts or (host, None) in self.hosts

    def holds(self, address: Address) -> bool:
        """Whether the address is in a network that the operator named."""
        return any(address in network for network in self.networks)


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that may be called; `named` where the operator named its host."""

    scheme: str
    host: str
    port: int
    path: str
    address: Address | None
    named: bool

    @property
    def origin(self) -> tuple[str, str, int]:
        """What connections can be shared by."""
        return self.scheme, self.host, self.port

    @property
    def authority(self) -> str:
        """The value of the header Host."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _default_port(self.scheme) else f"{host}:{self.port}"


def parse_allowed(text: str) -> Allowed:
    """Read `127.0.0.0/8,receiver.internal:8080`: networks, addresses, hosts, hosts with ports.

    Raises ValueError with a sentence that names the entry that is wrong.
    """
    entries = [entry.strip().lower() for entry in text.split(",") if entry.strip()]
    if len(entries) > MAX_ENTRIES:
        raise ValueError(f"{len(entries)} entries are too many: {MAX_ENTRIES} at the most")
    networks: list[Network] = []
    hosts: set[tuple[str, int | None]] = set()
    for entry in entries:
        try:
            bracketed = entry.startswith("[") and entry.endswith("]")
            networks.append(ip_network(entry[1:-1] if bracketed else entry))
        except ValueError:
            hosts.add(_host_entry(entry))
    return Allowed(tuple(networks), frozenset(hosts))


def check_url(url: str, allowed: Allowed) -> None:
    """Raise `NotAllowedUrl` unless webhooks may go there, as far as can be told without DNS."""
    target_of(url, allowed)


def target_of(url: str, allowed: Allowed) -> Target:
    """Take a URL apart; raises `NotAllowedUrl`. Its name is not looked up here."""
    if len(url) > URL_CHARS:
        raise NotAllowedUrl(f"The URL is too long: use at most {URL_CHARS} characters.")
    if not all("!" <= char <= "~" and char not in '\\<>"`{}|^' for char in url):
        # Some parsers drop such characters and others do not: then the check sees another host.
        raise NotAllowedUrl(
            "The URL has a character that URLs do not have: percent-encode it, "
            "and write an international host name in its xn-- form."
        )
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError as error:
        raise NotAllowedUrl(f"The URL cannot be read: {error}. Correct it.") from error
    if parts.scheme not in ("https", "http"):
        raise NotAllowedUrl("The URL must begin with https://.")
    if "@" in parts.netloc:
        raise NotAllowedUrl(
            "The URL must not hold a user name or password: verify the signature of what arrives "
            "instead."
        )
    if "#" in url:
        raise NotAllowedUrl("The URL has a part after #, which is never sent: remove it.")
    port = _default_port(parts.scheme) if port is None else port
    address = _literal(host, bracketed="[" in parts.netloc)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    named = allowed.names(host, port)
    target = Target(parts.scheme, host, port, path, address, named)
    if address is not None and not _reachable(address, allowed, named=named):
        raise NotAllowedUrl(
            f"{host} is a private or reserved address. Use an endpoint with a public address, "
            f"or have the operator add it to {SETTING}."
        )
    _check_manner(target, allowed)
    return target


async def addresses_of(target: Target, allowed: Allowed, resolve: Resolve) -> list[str]:
    """Look the target up, once, and return the addresses that may be connected to.

    Raises `NotAllowedUrl` where a single one of all answers is not permitted, and OSError where
    there is no answer.
    """
    if target.address is not None:
        return [written(target.address)]
    if _is_localhost(target.host):
        # Never asked of DNS: the name means this machine, whatever a name server says.
        return [str(one) for one in LOOPBACKS if _reachable(one, allowed, named=target.named)]
    found: list[str] = []
    for text in await resolve(target.host, target.port):
        try:
            address = ip_address(text)
        except ValueError:
            address = None
        if address is None or not _reachable(address, allowed, named=target.named):
            # Which address it was is not said: it would tell names and numbers of that network.
            raise NotAllowedUrl(
                f"{target.host} leads to a private or reserved address. Use an endpoint with a "
                f"public address, or have the operator add it to {SETTING}."
            )
        found.append(written(address))
    if not found:
        raise OSError(f"{target.host} has no address")
    return list(dict.fromkeys(found))


def _host_entry(entry: str) -> tuple[str, int | None]:
    found = _ENTRY.fullmatch(entry)
    port = int(found["port"]) if found and found["port"] else None
    wrong = found is None or not (port is None or 1 <= port <= HIGHEST_PORT)
    try:
        host = "" if found is None else found["host"].removeprefix("[").removesuffix("]")
        _literal(host, bracketed=entry.startswith("["))
    except NotAllowedUrl:
        wrong = True
    if wrong:
        raise ValueError(
            f"{entry!r} is neither a network (10.0.0.0/8, its host bits zero), nor an address, nor "
            "a host (receiver.internal), nor a host with a port (receiver.internal:8080)"
        )
    return host, port


def _literal(host: str, *, bracketed: bool) -> Address | None:
    """Return the address that a host is written as; None for a name."""
    try:
        if bracketed:
            return IPv6Address("" if "%" in host else host)
        if _NUMERIC.fullmatch(host.rpartition(".")[2]):
            return IPv4Address(host)
    except ValueError:
        raise NotAllowedUrl(
            f"{host} is no address as it is usually written: write 192.0.2.1 or [2001:db8::1]."
        ) from None
    if len(host) > HOST_CHARS or not all(_LABEL.fullmatch(one) for one in host.split(".")):
        raise NotAllowedUrl(
            "The URL needs a host such as receiver.example.com, without a dot at its end."
        )
    return None


def _check_manner(target: Target, allowed: Allowed) -> None:
    """Refuse plain http, other ports and short names where the operator has not said otherwise."""
    if target.named or (target.address is not None and _listed(target.address, allowed)):
        return
    if _is_localhost(target.host):
        if not any(_listed(one, allowed) for one in LOOPBACKS):
            raise NotAllowedUrl(
                f"{target.host} is this machine. Use a public endpoint; for development the "
                f"operator may set {SETTING}=127.0.0.0/8."
            )
        return
    entry = f"have the operator add {target.authority} to {SETTING}"
    if target.scheme != "https":
        raise NotAllowedUrl(f"The URL must begin with https://. Change it, or {entry}.")
    if target.port not in OPEN_PORTS:
        ports = " or ".join(str(port) for port in sorted(OPEN_PORTS))
        raise NotAllowedUrl(f"The URL's port must be {ports}. Change it, or {entry}.")
    if target.address is None and "." not in target.host:
        raise NotAllowedUrl(
            f"{target.host} is a name of a private network. Use the full name of a public "
            f"endpoint, or {entry}."
        )


def _reachable(address: Address, allowed: Allowed, *, named: bool) -> bool:
    return _listed(address, allowed) or is_public(address) or (named and is_inside(address))


def _listed(address: Address, allowed: Allowed) -> bool:
    return allowed.holds(address) or allowed.holds(meant(address))


def _is_localhost(host: str) -> bool:
    return host == "localhost" or host.endswith(".localhost")


def _default_port(scheme: str) -> int:
    return 443 if scheme == "https" else 80
