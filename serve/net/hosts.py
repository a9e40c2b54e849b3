"""Host names under which a server may be addressed.

A page can make its own name resolve to this machine (DNS rebinding); the browser then treats its requests as
same-origin. Only the foreign name in the `Host` header reveals them.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Sequence

ANY = "*"
_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}\.?$){_LABEL}(\.{_LABEL})*\.?")


class AllowedHosts:
    """Host names of one server: those of its machine, IP addresses, and names that the operator allows.

    Args:
        bound: host name or address that the server listens on.
        allowed: further names; `*.example.org` matches all subdomains, `*` every name.
    """

    def __init__(self, bound: str, allowed: Sequence[str]) -> None:
        machine = socket.gethostname().lower()
        self._any = ANY in allowed
        self._names = {"localhost", bound.lower(), machine, f"{machine}.local", *(name.lower() for name in allowed)}
        self._ends = tuple(name[1:].lower() for name in allowed if name.startswith("*."))

    def knows(self, header: str) -> bool:
        """Whether a `Host` header names this server. IP addresses always do: DNS rebinding needs a name."""
        if self._any:
            return True
        name = host_name(header)
        return name is not None and (name in self._names or is_address(name) or name.endswith(self._ends or ("\0",)))


def host_name(header: str) -> str | None:
    """The host in a `Host` header, lower case, without port and brackets; None if it is invalid."""
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\[\]:@/\s]+))(?::\d{1,5})?", header)
    if found is None:
        return None
    if found[1] is not None:
        return found[1].lower() if is_address(found[1]) else None
    name = found[2].lower()
    return name.removesuffix(".") if is_name(name) else None


def is_address(text: str) -> bool:
    """Whether `text` is an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_name(text: str) -> bool:
    """Whether `text` is a valid host name."""
    return _NAME.fullmatch(text.lower()) is not None
