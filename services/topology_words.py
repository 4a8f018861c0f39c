"""What single words of an inventory may be: addresses, networks, MAC addresses, names of interfaces."""

import ipaddress
import re

MAC = re.compile(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}")
Complaint = tuple[object, str, str]
"""(key or index inside the value or None, what is wrong, what to do)"""


def is_address(value: object) -> bool:
    """Whether it is an IPv4 or IPv6 address as text."""
    try:
        return isinstance(value, str) and bool(ipaddress.ip_address(value))
    except ValueError:
        return False


def is_network(value: object) -> bool:
    """Whether it is an address or a network in CIDR notation, as text."""
    try:
        return isinstance(value, str) and bool(ipaddress.ip_network(value))
    except ValueError:
        return False


def is_mac(value: object) -> bool:
    """Whether it is a MAC address as text, with colons."""
    return isinstance(value, str) and bool(MAC.fullmatch(value))


def is_allowed(value: object) -> bool:
    """Whether it may stand in an allow list: an address or network, a MAC address, or both."""
    words = str(value).split()
    macs = [w for w in words if is_mac(w)]
    networks = [w for w in words if is_network(w)]
    return bool(words) and len(macs) < 2 and len(networks) < 2 and len(macs) + len(networks) == len(words)


def suggest(word: str, known: tuple[str, ...]) -> str:
    """'Did you mean …?' or, when nothing is near, nothing."""
    from difflib import get_close_matches

    near = get_close_matches(word, known, n=1, cutoff=0.6)
    return f"Did you mean {near[0]}?" if near else "No known name is near to it."
