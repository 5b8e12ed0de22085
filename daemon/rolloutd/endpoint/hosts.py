"""Whom a request was meant for, by its Host header.

A page of a foreign site may have its own name resolve to this machine (DNS rebinding), and its
browser would then let it read what is answered. The name in the header gives it away.
"""

import re
from ipaddress import ip_address

_AUTHORITY = re.compile(r"(?:\[(?P<bracketed>[^\[\]]*)\]|(?P<plain>[^:\[\]]*))(?::[0-9]*)?")


def is_meant_for_us(authority: str, configured: str) -> bool:
    """Whether `host[:port]` is localhost, an address, or the host that we were told to be.

    No name server has a say in any of these.
    """
    parts = _AUTHORITY.fullmatch(authority.strip())
    if parts is None:
        return False
    if parts["bracketed"] is not None:
        return is_address(parts["bracketed"])
    name = _folded(parts["plain"])
    return name in ("localhost", _folded(configured)) or is_address(name)


def is_address(host: str) -> bool:
    """Whether this is an IP address rather than a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _folded(name: str) -> str:
    return name.lower().removesuffix(".")
