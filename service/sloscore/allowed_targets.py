"""Which of the targets that clients name the service may ask: patterns of hosts, networks and ports.

A host's name and the address behind it are both judged, so that no name leads to another place.
"""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

LOOPBACK: Final = ("127.0.0.0/8", "::1", "localhost")
"""The patterns in effect where none are set."""

_PORTS: Final = {"http": 80, "https": 443}
_BRACKETED = re.compile(r"\[(?P<host>[^\[\]]+)\](?::(?P<port>\d+|\*))?", re.ASCII)
_PLAIN = re.compile(r"(?P<host>[^:\[\]]+)(?::(?P<port>\d+|\*))?", re.ASCII)
_NAME = re.compile(r"[a-z0-9*?_.-]+")
_LIKE_AN_ADDRESS = re.compile(r"[0-9.*?/]*[0-9][0-9.*?/]*")
# Only a pattern inside one of them names an address of it: a wide network or name never does.
_SPECIAL: Final = tuple(
    ipaddress.ip_network(text)
    for text in (
        "127.0.0.0/8", "::1/128",  # this machine
        "0.0.0.0/8", "::/128",  # unspecified, which is this machine, too
        "169.254.0.0/16", "fe80::/10",  # link-local, with the metadata of most clouds
        "fd00:ec2::/32", "100.100.100.200/32", "192.0.0.192/32",  # metadata of the others
        "224.0.0.0/4", "ff00::/8", "255.255.255.255/32",  # multicast and broadcast
    )
)  # fmt: skip
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class _Pattern:
    """Hosts by name or by network, on one port or on all."""

    place: str | _Network
    port: int | None

    @property
    def is_exact(self) -> bool:
        return isinstance(self.place, str) and not set("*?") & set(self.place)

    def holds_name(self, name: str, port: int) -> bool:
        is_name = isinstance(self.place, str) and fnmatchcase(name, self.place)
        return is_name and self.port in {None, port}

    def holds_address(self, address: _Address, port: int) -> bool:
        return (
            not isinstance(self.place, str)
            and self.port in {None, port}
            and address in self.place
            and all(_is_within(self.place, one) for one in _SPECIAL if address in one)
        )


class AllowedTargets:
    """The targets that some patterns name; raises ValueError for what is no pattern."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._patterns = tuple(_parse(text) for text in patterns or LOOPBACK)

    def names(self, url: str) -> bool:
        """Whether a URL's host and port are named; of a host's name ``admits`` has the last word."""
        host, port = place_of(url)
        address = _address(host)
        if address is not None:
            return any(pattern.holds_address(address, port) for pattern in self._patterns)
        return any(pattern.holds_name(host, port) for pattern in self._patterns)

    def admits(self, name: str, port: int, address: str) -> bool:
        """Whether a host of this name may be asked at an address that the name resolves to."""
        found = _address(address)
        if found is None or (_plain(name) == "localhost" and not found.is_loopback):
            return False
        if any(pattern.holds_address(found, port) for pattern in self._patterns):
            return True
        naming = [one for one in self._patterns if one.holds_name(_plain(name), port)]
        if any(found in special for special in _SPECIAL):
            return found.is_loopback and any(pattern.is_exact for pattern in naming)
        return bool(naming)


@lru_cache
def allowed_targets(patterns: tuple[str, ...]) -> AllowedTargets:
    """The targets that some patterns name, made once of each tuple."""
    return AllowedTargets(patterns)


def place_of(url: str) -> tuple[str, int]:
    """The host of a URL, in lower case, and its port; the host is empty where there is none."""
    parts = urlsplit(url)
    return _plain(parts.hostname or ""), parts.port or _PORTS.get(parts.scheme, 0)


def pattern_of(url: str) -> str:
    """The narrowest pattern that names a URL's host and port."""
    host, port = place_of(url)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _parse(text: str) -> _Pattern:
    place, port = text.strip().lower(), None
    found = _BRACKETED.fullmatch(place) or _PLAIN.fullmatch(place)
    if found is not None:
        place = found["host"]
        port = None if found["port"] in {None, "*"} else int(found["port"])
    if port is not None and not 0 < port < 65536:
        raise ValueError(f"{text!r}: there is no port {port}")
    try:
        return _Pattern(ipaddress.ip_network(place), port)
    except ValueError as error:
        if "has host bits set" in str(error):
            network = ipaddress.ip_network(place, strict=False)
            raise ValueError(f"{text!r} is no network: write {network}") from None
    if _LIKE_AN_ADDRESS.fullmatch(place):
        raise ValueError(
            f"{text!r} is no address: write a network like 10.0.0.0/24, as names of hosts may "
            "begin like addresses"
        )
    name = _plain(place)
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{text!r} is no pattern: write a name (*.example.org:8000), an address or a network "
            "(10.0.0.0/24, [fd00::/64]:8000)"
        )
    return _Pattern(name, port)


def _plain(name: str) -> str:
    return name.lower().removesuffix(".")


def _address(text: str) -> _Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv4Address):
        return address
    # An address of IPv4 in the dress of IPv6 leads to that.
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _is_within(network: _Network, other: _Network) -> bool:
    if isinstance(network, ipaddress.IPv4Network):
        return isinstance(other, ipaddress.IPv4Network) and network.subnet_of(other)
    return isinstance(other, ipaddress.IPv6Network) and network.subnet_of(other)
