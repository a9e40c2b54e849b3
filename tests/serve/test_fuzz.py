"""Thousands of messages, right and wrong: each is answered or refused, and what the server says is in order."""

import asyncio
import contextlib
import json
import random
from collections import Counter

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from serve.protocols import wire
from serve.protocols.native import Native
from serve.sessions.live import LiveSession
from serve.sessions.options import Refused
from speech.events import Event, TranscriptEvent
from speech.stream.commands import Change, Done, Push
from speech.transcript import Word
from tests.serve import messages
from tests.serve.conftest import Running, audio, beside, facts

FACTS = facts(max_session_s=20.0, max_lead_s=600_000.0, max_json_bytes=16_384)
CODES = {  # of fatal errors
    "bad_message": wire.CloseCode.bad_message,
    "not_started": wire.CloseCode.bad_message,
    "too_big": wire.CloseCode.too_big,
    "unknown_session": wire.CloseCode.unknown_session,
    "resume_gap": wire.CloseCode.unknown_session,
    "unknown_model": wire.CloseCode.bad_config,
    "unknown_language": wire.CloseCode.bad_config,
    "bad_config": wire.CloseCode.bad_config,
    "reference_too_long": wire.CloseCode.bad_config,
    "audio_bad": wire.CloseCode.bad_audio,
}
_decode = msgspec.json.Decoder(wire.ServerMessage).decode


class Engine:
    """Says something for the audio that it gets, by the rules of events."""

    def __init__(self, rng: random.Random) -> None:
        self._rng, self._words, self._stable = rng, list[Word](), 0
        self._segment = self._revision = 0
        self.at_s = 0.0

    def work(self, live: LiveSession) -> tuple[list[Event], list[Done]]:
        events, done = list[Event](), list[Done]()
        while live.requests.work:
            item = live.requests.work.popleft()
            if isinstance(item, Push):
                self.at_s += len(item.samples) / 16_000
                if self._rng.random() < 0.3:
                    events.append(self._say(final=self._rng.random() < 0.1))
                continue
            if not isinstance(item, Change):
                events += [self._say(final=True)] if self._words else []
            done.append(Done(item, self.at_s))
            if self._rng.random() < 0.5:  # the rest another time
                break
        return events, done

    def _say(self, final: bool) -> TranscriptEvent:
        kept = self._words[: self._stable]
        new = [Word(self._rng.choice("abcd"), 0.0, 0.0, 0.5, "eng") for _ in range(self._rng.randrange(3))]
        self._words = kept + new
        self._stable = self._rng.randint(self._stable, len(self._words))
        event = TranscriptEvent(
            segment=self._segment, revision=self._revision, is_final=final, text=" ".join(w.text for w in self._words),
            stable=len(self._words) if final else self._stable, words=tuple(self._words), start_s=0.0, end_s=0.0,
            audio_s=self.at_s,
        )  # fmt: skip
        self._revision += 1
        if final:
            self._words, self._stable, self._revision, self._segment = [], 0, 0, self._segment + 1
        return event


class Reader:
    """Checks what a client hears."""

    def __init__(self) -> None:
        self.seq, self.over = 0, False
        self.kinds: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self._segment, self._stable, self._delta, self._final = 0, list[str](), "", True

    def hear(self, text: str) -> None:
        assert not self.over, f"after the end: {text}"
        message = _decode(text)
        kind = message.__struct_config__.tag
        self.kinds[str(kind)] += 1
        self.seq += 1
        assert message.seq == self.seq
        if isinstance(message, wire.TranscriptMessage):
            self._transcript(message)
        if isinstance(message, wire.Error):
            self.refused[message.code] += 1
            assert message.code
            assert message.message
        self.over = isinstance(message, wire.End) or (isinstance(message, wire.Error) and message.fatal)

    def _transcript(self, message: wire.TranscriptMessage) -> None:
        assert message.segment == self._segment
        if isinstance(message.delta, str):
            self._delta += message.delta
            assert not message.is_final or isinstance(message.text, str)
        if isinstance(message.text, str):
            words = message.text.split()
            assert words[: len(self._stable)] == self._stable
            assert message.stable >= len(self._stable)
            self._stable = words[: message.stable]
        if message.is_final:
            assert message.stable == len(str(message.text).split())
            if isinstance(message.delta, str):
                assert str(message.text).endswith(self._delta)
            self._segment, self._stable, self._delta = self._segment + 1, [], ""


class Talk:
    """One session from its opening to its close, fed with random messages."""

    def __init__(self, rng: random.Random) -> None:
        self._rng, self._reader, self._engine = rng, Reader(), Engine(rng)
        self._native = Native({}, FACTS.config.max_json_bytes)
        self._live: LiveSession | None = None
        self._asked: Counter[str] = Counter()
        self._format = ("pcm_s16le", 1)
        self._now = 0.0
        self.close: wire.CloseCode | None = None
        self.said = 0

    def run(self) -> None:
        """Until it is closed, by `stop` at the latest."""
        limit = self._rng.choice([3, 30, 300])
        while self.close is None:
            self.said += 1
            self._now += self._rng.random() * 0.2
            self._feed(self._next(limit))
            if self._live is not None:
                self._serve(self._live)

    def _next(self, limit: int) -> str | bytes:
        if self._live is None:
            if self._rng.random() < 0.1:
                return messages.message(self._rng, *self._format)
            start = messages.valid(self._rng, "Start")
            audio = start.get("audio", {})
            if self._rng.random() < 0.6:  # what a session can go on with
                start["audio"] = audio = audio | {"encoding": self._rng.choice(["pcm_s16le", "mulaw", "alaw"])}
            self._format = (audio.get("encoding", "pcm_s16le"), audio.get("channels", 1))
            return json.dumps(start)
        return b"" if self.said > limit else messages.message(self._rng, *self._format)

    def _feed(self, frame: str | bytes) -> None:
        refused: Refused | None = None
        try:
            for message in self._native.incoming(frame):
                self._tell(message)
        except Refused as error:
            refused = error
        if refused is None:
            return
        assert refused.close == CODES[refused.code]
        if self._live is None:
            self.close = refused.close
        else:
            self._live.ending.fail(refused.code, refused.message, refused.close)

    def _tell(self, message: wire.ClientMessage | bytes) -> None:
        live = self._live
        if live is None:
            if isinstance(message, wire.StartMessage):
                self._live = LiveSession(FACTS, message, self._now)
                return
            code = "unknown_session" if isinstance(message, wire.Resume) else "not_started"
            raise Refused(code, "no", CODES[code])
        before = live.outbox.seq, len(live.requests.work), live.intake.received_bytes, live.ended, live.scoring.said
        if isinstance(message, bytes):
            audio(live, message, self._now)
        else:
            self._asked[type(message).__name__] += 1
            live.receive(message, self._now)
        stopping = isinstance(message, wire.Stop) or message == b""
        after = live.outbox.seq, len(live.requests.work), live.intake.received_bytes, live.ended, live.scoring.said
        answered = after != before
        assert answered or stopping, f"{message!r} is not answered"

    def _serve(self, live: LiveSession) -> None:
        events, done = self._engine.work(live)
        live.worked(events, done, self._engine.at_s, 0.001, self._now)
        if self._rng.random() < 0.5 and (tasks := live.scoring.take()):
            live.ending.scored(live.scoring.run(tasks))
        if self._rng.random() < 0.05:
            live.tick(self._now)
        if self._rng.random() < 0.01:
            live.outbox.put(wire.GoAway(seq=1, in_ms=1000, reason="test"))
        if self._rng.random() < 0.02:
            self._resume(live)
        for text, *_ in iter(lambda: live.outbox.take(Native({}, 0).outgoing), None):
            self._reader.hear(text)
        if live.ending.closing is not None:
            self.close = live.ending.closing[0]
            assert self._reader.over
            assert live.ended
            self._check(live)

    def _resume(self, live: LiveSession) -> None:
        token = self._rng.choice([live.presence.token, "", "ключ", live.id])
        last_seq = self._rng.choice([self._reader.seq, self._reader.seq, 0, 10**9])
        good = token == live.presence.token and last_seq in (0, self._reader.seq)
        texts: list[str] | None = None
        with contextlib.suppress(Refused):
            texts = live.resume(token, last_seq, self._now)
        if texts is None:
            assert not good or last_seq == 0  # so much is not kept
            return
        assert good
        numbers = [_decode(text).seq for text in texts[1:]]
        assert numbers == list(range(last_seq + 1, self._reader.seq + 1))

    def _check(self, live: LiveSession) -> None:
        reader = self._reader
        fatal = reader.kinds["end"] == 0
        assert (self.close == wire.CloseCode.done) == (not fatal)
        if fatal:
            assert self.close in CODES.values()
            return
        late = reader.refused["after_stop"]
        answers = {"Finalize": "finalized", "KeepAlive": "alive"}
        for asked, answer in answers.items():
            assert self._asked[asked] - late <= reader.kinds[answer] <= self._asked[asked]
        updated = reader.kinds["updated"] + reader.refused["unknown_language"] + reader.refused["bad_config"]
        assert self._asked["Update"] - late <= updated <= self._asked["Update"]


def test_thousands_of_messages_are_answered_or_refused(pytestconfig):
    rng, said, closes = random.Random(0), 0, Counter[int]()
    count = 100_000 if pytestconfig.getoption("--all") else 10_000
    while said < count:
        talk = Talk(rng)
        talk.run()
        said += talk.said
        assert talk.close is not None
        closes[int(talk.close)] += 1
    assert {1000, 1009, 4400, 4404, 4415, 4422} <= set(closes)
    assert closes[1000] > count // 1000


@given(st.integers(0, 2**63))
def test_any_seed_will_do(seed):
    Talk(random.Random(seed)).run()


def test_what_the_schemas_allow_is_parsed():
    rng = random.Random(1)
    for _ in range(2000):
        message = messages.valid(rng)
        assert isinstance(wire.parse(json.dumps(message)), wire.ClientMessage)


def test_thousands_of_messages_over_sockets_do_not_disturb_a_neighbour(server: Running, pcm, said):
    rng = random.Random(2)
    closes: Counter[int | None] = Counter()

    async def talk(budget: int) -> int:
        count = 0
        async with connect(f"{server.ws}/v1/stream", max_size=None, max_queue=None) as socket:
            try:
                form = (rng.choice(["pcm_s16le", "pcm_s16le", "mulaw", "opus", "auto"]), 1)
                await socket.send(json.dumps({"type": "start", "audio": {"encoding": form[0]}}))
                while count < budget:
                    await socket.send(messages.message(rng, *form))
                    count += 1
                await socket.send(b"")
            except ConnectionClosed:
                pass
            reader = Reader()
            try:
                while True:
                    reader.hear(await asyncio.wait_for(socket.recv(), 30))
            except ConnectionClosed:
                closes[socket.close_code] += 1
            assert reader.over
        return count

    async def conversation() -> int:
        total = 0
        async with beside(server.ws, pcm, said):
            while total < 3000:
                total += sum(await asyncio.gather(*(talk(rng.choice([5, 20, 60])) for _ in range(8))))
        return total

    assert asyncio.run(conversation()) >= 3000
    assert {1000, 4400, 4415} <= set(closes)
    assert all(code == 1000 or code == 1009 or (code or 0) >= 4400 for code in closes)
