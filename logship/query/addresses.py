"""IP addresses as keys that sort and share prefixes as their networks do, for every engine and the matcher."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Network, ip_address, ip_network
from typing import Final

_MAYBE: Final = re.compile(r"[0-9A-Fa-f:][0-9A-Fa-f:.]*[:.][0-9A-Fa-f:.]+\Z|::\Z")
_LONGEST: Final = 45
"""Characters of the longest address, an IPv6 one that ends in an IPv4 one."""
_V4_MAPPED: Final = 0xFFFF << 32


def key(value: str) -> str | None:
    """32 hex digits of an address, IPv4 as its IPv6-mapped form; None for text that is no address."""
    if len(value) > _LONGEST or not _MAYBE.match(value):
        return None
    try:
        found = ip_address(value)
    except ValueError:
        return None
    number = int(found)
    return f"{number + _V4_MAPPED if found.version == 4 else number:032x}"  # noqa: PLR2004 - the version's name


def normal(written: str) -> str | None:
    """The network that a person wrote, host bits cleared; None for text that is none."""
    try:
        return str(ip_network(written, strict=False))
    except ValueError:
        return None


@lru_cache(maxsize=256)
def bounds(cidr: str) -> tuple[str, str]:
    """The first and the last key of a network, both inside."""
    network = ip_network(cidr)
    first, last = int(network[0]), int(network[-1])
    shift = _V4_MAPPED if isinstance(network, IPv4Network) else 0
    return f"{first + shift:032x}", f"{last + shift:032x}"


def within(value: str, cidr: str) -> bool:
    """Whether a text is an address of a network."""
    found = key(value)
    first, last = bounds(cidr)
    return found is not None and first <= found <= last
