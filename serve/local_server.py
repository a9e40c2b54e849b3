"""A server in this process, for commands that need one and were given none."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from serve.command import make_server
from serve.config import ServeConfig
from speech.errors import SpeechError

_JOIN_S = 10.0


@contextmanager
def local_server(config: ServeConfig) -> Iterator[str]:
    """Run a server during the block; yields its address, such as `http://127.0.0.1:40123`.

    Args:
        config: of the server; port 0 is any free one.

    Raises:
        ConfigError, ModelError: as `make_server`.
        SpeechError: if it ends before it has begun.
    """
    server = make_server(config)
    begun, addresses = threading.Event(), list[str]()

    def announced(address: str) -> None:
        addresses.append(address)
        begun.set()

    def run() -> None:
        try:
            server.run()
        finally:
            begun.set()

    server.announce = announced
    thread = threading.Thread(target=run, name="server", daemon=True)
    thread.start()
    begun.wait()
    if not addresses:
        raise SpeechError("the server in this process could not start", fix="See its log; or give --url.")
    try:
        yield addresses[0]
    finally:
        server.should_exit = True
        thread.join(_JOIN_S)
