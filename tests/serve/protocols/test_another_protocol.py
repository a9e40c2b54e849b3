"""Another protocol is one class and one call: here a line of text for each final, and `stop` to end."""

import asyncio
from collections.abc import Iterator

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from serve.app import add_protocol
from serve.protocols import wire
from serve.sessions.options import Refused
from tests.serve.conftest import Running, running


class Lines:
    """PCM16 at 16 kHz in; the text of each final out."""

    resumable = False

    def __init__(self) -> None:
        self._begun = False

    def greet(self) -> list[wire.Frame]:
        return ["speak"]

    def incoming(self, frame: wire.Frame) -> list[wire.ClientMessage | bytes]:
        if isinstance(frame, str) and frame != "stop":
            raise Refused("bad_message", f"expected stop, not {frame}", wire.CloseCode.bad_message)
        opening: list[wire.ClientMessage | bytes] = [] if self._begun else [wire.StartMessage()]
        self._begun = True
        return [*opening, frame if isinstance(frame, bytes) else wire.Stop()]

    def outgoing(self, message: wire.ServerMessage) -> list[wire.Frame]:
        if isinstance(message, wire.TranscriptMessage) and message.is_final and message.text:
            return [message.text]
        return [f"error: {message.message}"] if isinstance(message, wire.Error) else []


@pytest.fixture(scope="module")
def served() -> Iterator[Running]:
    with running() as found:
        app = found.server.config.app
        add_protocol(app, app.state.parts, "/lines", "lines", lambda socket: Lines())
        yield found


def conversation(server: Running, frames: list[bytes | str]) -> list[bytes | str]:
    async def talk() -> list[bytes | str]:
        heard: list[bytes | str] = []
        async with connect(f"{server.ws}/lines") as socket:
            for frame in frames:
                await socket.send(frame)
            try:
                while True:
                    heard.append(await asyncio.wait_for(socket.recv(), 60))
            except ConnectionClosed:
                return heard

    return asyncio.run(talk())


def test_it_hears_what_a_file_says(served, pcm, said):
    greeting, *lines = conversation(served, [pcm[n : n + 64_000] for n in range(0, len(pcm), 64_000)] + ["stop"])
    assert greeting == "speak"
    assert " ".join(lines) == said


def test_what_it_refuses_is_said_in_its_own_words(served):
    assert conversation(served, ["go"]) == ["speak", "error: expected stop, not go"]
