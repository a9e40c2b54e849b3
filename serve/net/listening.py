"""Server sockets, bound before the model loads, so that errors are reported at once and in one line."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Sequence

from serve.config import ServeConfig
from speech.errors import ConfigError
from speech.files import reason

_FIXES = {
    errno.EADDRINUSE: "Give another --port, or stop what has it.",
    errno.EACCES: "Give a --port from 1024 on.",
    errno.EADDRNOTAVAIL: "Give a --host of this machine, such as 127.0.0.1, or 0.0.0.0 for all of its addresses.",
}


def bound(config: ServeConfig) -> list[socket.socket]:
    """Bind one socket for each address of the host, on one port. They listen later: no client waits for the model.

    Raises:
        ConfigError: the port is in use or not allowed, or the host is not an address of this machine.
    """
    where = f"port {config.port} on {config.host}"
    try:
        found = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        text = f"there is no host {config.host!r}: {_said(error)}"
        raise ConfigError(text, fix="Give a --host of this machine, such as 127.0.0.1.") from error
    sockets: list[socket.socket] = []
    lacking: OSError | None = None
    with contextlib.ExitStack() as stack:
        port = config.port
        for family, kind, proto, _, address in dict.fromkeys(found):
            try:
                one = stack.enter_context(contextlib.closing(socket.socket(family, kind, proto)))
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                one.bind((address[0], port, *address[2:]))
            except OSError as error:
                if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    raise ConfigError(f"{where}: {reason(error)}", fix=_fix(error)) from error
                lacking = error  # "localhost" has two addresses; a container may lack one
                continue
            port = one.getsockname()[1]
            sockets.append(one)
        if not sockets:
            assert lacking is not None
            raise ConfigError(f"{where}: {reason(lacking)}", fix=_fix(lacking)) from lacking
        stack.pop_all()
    return sockets


def listen(sockets: Sequence[socket.socket], config: ServeConfig) -> None:
    """Start listening: connections now queue to be accepted.

    Raises:
        ConfigError: another process has started to listen on the port.
    """
    for one in sockets:
        try:
            one.listen(2048)
        except OSError as error:
            where = f"port {one.getsockname()[1]} on {config.host}"
            raise ConfigError(f"{where}: {reason(error)}", fix=_fix(error)) from error


def address(sockets: Sequence[socket.socket], config: ServeConfig) -> str:
    """URL of the server for a browser, with the actual port."""
    host = f"[{config.host}]" if ":" in config.host else config.host
    return f"{'https' if config.certfile else 'http'}://{host}:{sockets[0].getsockname()[1]}"


def _said(error: OSError | UnicodeError) -> str:
    return reason(error) if isinstance(error, OSError) else "it is no name"


def _fix(error: OSError) -> str | None:
    return _FIXES.get(error.errno or 0)
