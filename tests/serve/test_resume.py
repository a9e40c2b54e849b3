"""Two hundred connections that break anywhere: the client comes back, and the transcript is the unbroken one."""

import asyncio
import json
import random
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.asyncio.server import ServerConnection, serve

from serve import client as client_module
from serve.client import ServerError, StreamClient
from serve.engine.worker import EngineWorker
from serve.protocols import wire
from serve.protocols.native import Native
from serve.sessions.live import LiveSession
from speech import Recognizer
from speech.decode.label.joint import JointConfig
from speech.recognize.full_context import FullContextPass
from speech.stream.engine import Engine, EngineConfig
from speech.stream.slot import Result
from tests.serve.conftest import Running, audio, beside, facts, finals, running, until
from tests.tiny_hybrid import save_tiny_hybrid

FACTS = facts(max_lead_s=60.0)


class Now:
    """An event loop that does at once what it is asked to."""

    def call_soon_threadsafe(self, call: Any, *arguments: Any) -> None:
        call(*arguments)


class Inline(EngineWorker):
    """Works when it is told to, on the thread of the caller."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine, Now(), readers=0)  # type: ignore[arg-type]
        self.stop()
        self._stopped = False

    def work(self) -> None:
        while self._turn():
            pass


class Server:
    """A session and its engine, without a socket: texts of messages in, texts out, as they are delivered."""

    def __init__(self, engine: Engine, **start: Any) -> None:
        self.now = 0.0
        self.live = LiveSession(FACTS, wire.StartMessage(**start), self.now)
        self._worker = Inline(engine)
        self._slot = self._worker.open(self.live.requests.options, self._worked)

    def take(self, message: str | bytes) -> None:
        self.now += 0.01
        if isinstance(message, bytes):
            audio(self.live, message, self.now)
        else:
            self.live.receive(wire.parse(message), self.now)
        self._worker.submit(self._slot, list(self.live.requests.work))
        self.live.requests.work.clear()
        self._worker.work()

    def say(self, count: int) -> list[str]:
        return [text for _ in range(count) for text in self.live.outbox.take(Native({}, 0).outgoing) or []]

    def _worked(self, result: Result) -> None:
        assert result.error is None
        self.live.worked(result.events, result.done, result.processed_s, result.stepped_s + result.read_s, self.now)


class Client:
    """What a careful client does, by the protocol's description alone."""

    def __init__(self, audio: bytes) -> None:
        self.audio = audio
        self.place = self.last_seq = self.acknowledged = 0
        self.token, self.events, self.stopped = "", list[dict[str, Any]](), False
        self.ready = True

    def speak(self, size: int) -> str | bytes | None:
        """The next message, if it may speak and has something to say."""
        if not self.ready or self.stopped:
            return None
        block = self.audio[self.place : self.place + 2 * size]
        self.place += len(block)
        self.stopped = not block
        return block or '{"type":"stop"}'

    def hear(self, text: str) -> None:
        event = json.loads(text)
        self.token = event.get("resume_token", self.token)
        if event["type"] == "resumed":
            assert event["received_bytes"] >= self.acknowledged  # what was acknowledged is not asked for again
            self.place, self.stopped, self.ready = event["received_bytes"], False, True
            return
        assert event["seq"] == self.last_seq + 1
        self.last_seq = event["seq"]
        self.events.append(event)
        if event["type"] == "ack":
            self.acknowledged = event["received_bytes"]

    @property
    def done(self) -> bool:
        return bool(self.events) and self.events[-1]["type"] == "end"


def converse(server: Server, client: Client, rng: random.Random, cuts: float) -> int:
    """To the end; with probability `cuts`, each step loses what is on its way in both directions. Counts the losses."""
    up, down, broken = deque[str | bytes](), deque[str](), 0
    client.hear(server.say(1)[0])
    for _ in range(5000):
        if client.done:
            return broken
        for _ in range(rng.randrange(4)):
            message = client.speak(rng.choice([1, 160, 1600, 8000]))
            up += [message] if message is not None else []
        for _ in range(min(len(up), rng.randrange(4))):
            server.take(up.popleft())
        down += server.say(rng.randrange(6))
        for _ in range(min(len(down), rng.randrange(6))):
            client.hear(down.popleft())
        if rng.random() < cuts:
            broken += 1
            up.clear()
            down = deque(server.live.resume(client.token, client.last_seq, server.now))  # lost too, if cut again now
            client.ready = False
    raise AssertionError("it does not come to an end")


def transcript(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**event, "seq": 0, "rev": 0, "lag_ms": 0} for event in events if event.get("is_final")]


@dataclass(repr=False)
class Scene:
    """What the runs have in common."""

    engine: Engine
    clip: bytes
    unbroken: list[dict[str, Any]]


@pytest.fixture(scope="module")
def scene(model, tokenizer, pcm) -> Scene:
    """A second and a half of speech, a pause that ends its segment, and some more."""
    engine = Engine(FullContextPass(model, tokenizer), EngineConfig(chunk=16))
    client = Client(pcm[:48_000] + bytes(20_000) + pcm[48_000:64_000])
    converse(Server(engine), client, random.Random(0), 0.0)
    assert len(transcript(client.events)) > 1
    assert sum(len(event["words"]) for event in transcript(client.events)) > 3
    return Scene(engine, client.audio, transcript(client.events))


def test_what_was_said_before_is_remembered_wherever_the_connection_breaks(tmp_path, pcm, monkeypatch):
    save_tiny_hybrid(tmp_path / "tiny", JointConfig(beam=2, context_tokens=40, context_sure=-100.0, unheard=-1000.0))
    engine = Recognizer.from_pretrained(str(tmp_path / "tiny"), measured_targets=False).engine()
    before, read = list[str | None](), engine.second_pass.read

    def reads(parts, requests):
        before.extend(None if part.before is None else part.before.text for part in parts)
        return read(parts, requests)

    monkeypatch.setattr(engine.second_pass, "read", reads)
    found = []
    for cuts in (0.0, 0.3):
        client = Client(pcm[:32_000] + bytes(20_000) + pcm[48_000:64_000])
        broken = converse(Server(engine, languages=["spa"], interim="off"), client, random.Random(0), cuts)
        assert bool(broken) == bool(cuts)
        said = transcript(client.events)
        assert before[:1] == [None]
        assert said[0]["text"] in before
        found.append((said, list(dict.fromkeys(before))))
        before.clear()
    assert found[0] == found[1]


losses = 0


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 2**32),
    cuts=st.sampled_from([0.02, 0.1, 0.3]),
    interim=st.sampled_from(["revisable", "off", "off"]),
)
def test_a_transcript_is_the_same_wherever_the_connection_breaks(scene, seed, cuts, interim):
    global losses
    client = Client(scene.clip)
    losses += converse(Server(scene.engine, interim=interim), client, random.Random(seed), cuts)
    assert transcript(client.events) == scene.unbroken
    assert client.events[-1]["audio_ms"] == len(scene.clip) // 32


def test_connections_did_break():
    assert losses > 300


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32))
def test_deltas_join_to_the_text_of_each_segment(scene, seed):
    rng, server, client = random.Random(seed), Server(scene.engine, interim="append"), Client(scene.clip)
    client.hear(server.say(1)[0])
    while not client.done:
        if (message := client.speak(rng.choice([160, 1600, 4000]))) is not None:
            server.take(message)
        for text in server.say(100):
            client.hear(text)
    shown = [event for event in client.events if event["type"] == "transcript"]
    assert all(event["is_final"] or "text" not in event for event in shown)
    for final in [event for event in shown if event["is_final"]]:
        deltas = [event["delta"] for event in shown if event["segment"] == final["segment"]]
        assert "".join(deltas) == final["text"]
    assert [event["text"] for event in shown if event["is_final"]] == [event["text"] for event in scene.unbroken]


# Real sockets


class Cutter:
    """A TCP proxy that drops connections after random numbers of bytes."""

    def __init__(self, port: int, seed: int) -> None:
        self._port, self._rng = port, random.Random(seed)
        self.cuts = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "Cutter":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        back_reader, back_writer = await asyncio.open_connection("127.0.0.1", self._port)
        up, down = self._rng.choice([(300, 3000), (200_000, 10**9), (10**9, 6000), (10**9, 10**9)])
        pumps = [
            asyncio.create_task(self._pump(reader, back_writer, self._rng.randrange(up))),
            asyncio.create_task(self._pump(back_reader, writer, self._rng.randrange(down))),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            writer.transport.abort()
            back_writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: int) -> None:
        while data := await reader.read(4096):
            writer.write(data[:left])
            await writer.drain()
            left -= len(data)
            if left <= 0:
                self.cuts += 1
                return


def test_a_proxy_that_cuts_anywhere_does_not_change_the_text(server: Running, pcm, said):
    async def through(seed: int) -> tuple[str, int]:
        async with Cutter(server.port, seed) as cutter:
            for _ in range(20):  # to a session at all
                client = StreamClient(f"ws://127.0.0.1:{cutter.port}/v1/stream")
                try:
                    await client.__aenter__()
                    break
                except Exception:
                    continue
            rng, events = random.Random(seed), []
            async with asyncio.TaskGroup() as group:
                size = 2 * rng.randrange(800, 8000)
                group.create_task(client.send_all([pcm[n : n + size] for n in range(0, len(pcm), size)]))
                async for event in client:
                    events.append(event)
            await client.__aexit__(None, None, None)
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        assert events[-1]["type"] == "end"
        return finals(events), client.reconnect_attempts

    async def conversation() -> list[tuple[str, int]]:
        async with beside(server.ws, pcm, said):
            return await asyncio.gather(*(through(seed) for seed in range(5)))

    found = asyncio.run(conversation())
    assert [text for text, _ in found] == [said] * 5
    assert sum(count for _, count in found) > 3


def test_packets_keep_their_bounds_when_they_are_sent_again(server: Running):
    """Opus is one packet per message: what is said again must be the same messages."""
    import av

    encoder = av.AudioCodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = 48_000, "mono", "s16"
    packets: list[bytes] = []
    for number in range(40):
        samples = (np.sin(np.arange(960) * 0.05 + number) * 9000).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate = 48_000
        packets += [bytes(packet) for packet in encoder.encode(frame)]

    async def conversation() -> list[dict[str, Any]]:
        async with StreamClient(f"{server.ws}/v1/stream", audio={"encoding": "opus"}) as client:
            for packet in packets[:30]:
                await client.send(packet)
            assert client._socket is not None
            client._socket.transport.abort()
            for packet in packets[30:]:
                await client.send(packet)
            await client.stop()
            return [event async for event in client]

    events = asyncio.run(conversation())
    assert events[-1]["type"] == "end"
    assert events[-1]["audio_ms"] > 600


def test_what_is_longer_than_a_message_may_be_goes_in_pieces(pcm, said):
    async def conversation(small: Running) -> list[dict[str, Any]]:
        async with StreamClient(f"{small.ws}/v1/stream") as client, asyncio.TaskGroup() as group:
            group.create_task(client.send_all([pcm[:2], pcm[2:]]))
            return [event async for event in client]

    with running(max_message_bytes=10_000) as small:
        assert finals(asyncio.run(conversation(small))) == said


def test_a_client_gives_up_where_connections_bring_nothing_new(monkeypatch):
    monkeypatch.setattr("serve.client._FIRST_PAUSE_S", 0.001)
    seen = 0

    async def answer(socket: ServerConnection) -> None:
        nonlocal seen
        seen += 1
        first = json.loads(await socket.recv())
        known = {"session": "s", "resume_token": "t", "seq": 1}
        if first["type"] == "start":
            limits = {"max_message_bytes": 1000}
            known |= {"type": "started", "audio": {"encoding": "pcm_s16le"}, "limits": limits}
        await socket.send(json.dumps({"type": "resumed", "received_bytes": 0, "next_seq": 2} | known))
        socket.transport.abort()

    async def conversation() -> str:
        async with serve(answer, "127.0.0.1", 0, subprotocols=["speech.v1"]) as server:  # type: ignore[list-item]
            port = server.sockets[0].getsockname()[1]
            async with StreamClient(f"ws://127.0.0.1:{port}/v1/stream") as client:
                await client.send(bytes(320))
                with pytest.raises(ServerError) as caught:
                    async for _ in client:
                        pass
                return caught.value.code

    assert asyncio.run(asyncio.wait_for(conversation(), 60)) == "no_progress"
    assert seen == 21


def test_a_client_that_nobody_listens_to_keeps_no_more_than_so_many_events(server, pcm, monkeypatch):
    monkeypatch.setattr(client_module, "_MOST_EVENTS", 8)

    async def conversation() -> list[dict[str, Any]]:
        async with StreamClient(f"{server.ws}/v1/stream") as client:
            for number in range(200):
                await client.say({"type": "finalize", "id": str(number)})
            await client.stop()
            await until(client._events.full)
            await asyncio.sleep(0.2)
            assert client._events.qsize() == 8
            return [event async for event in client]

    events = asyncio.run(conversation())
    assert [e["id"] for e in events if e["type"] == "finalized"] == [str(number) for number in range(200)]
    assert events[-1]["type"] == "end"
