"""A real server with the embedded model on a free port."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from serve.command import Server, make_server
from serve.config import ServeConfig
from speech import Recognizer


@dataclass(frozen=True)
class Running:
    """A server and where it is."""

    server: Server
    port: int

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def hub(self) -> Any:
        return self.server.config.app.state.parts.hub


@contextmanager
def running(**options: Any) -> Iterator[Running]:
    """A server for the time of the block."""
    server = make_server(ServeConfig(**{"port": 0, "max_load": 1000.0} | options))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield Running(server, server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(timeout=20)
    assert not thread.is_alive()


@pytest.fixture(scope="session")
def server() -> Iterator[Running]:
    with running() as found:
        yield found


@pytest.fixture(scope="session")
def recognizer() -> Recognizer:
    return Recognizer.from_pretrained()


@pytest.fixture(scope="session")
def pcm(speech: np.ndarray) -> bytes:
    """The speech of the tests as PCM16."""
    return np.clip(np.rint(speech * 32768), -32768, 32767).astype("<i2").tobytes()


@pytest.fixture(scope="session")
def said(recognizer: Recognizer, pcm: bytes) -> str:
    """What a file of it says."""
    samples = np.frombuffer(pcm, "<i2").astype(np.float32) / 32768
    return recognizer.transcribe(samples).text
