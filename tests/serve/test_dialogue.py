"""Dialogues over real sockets: people are recognised, answered aloud, and may interrupt."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import numpy as np
import pytest

from serve.client import ServerError, StreamClient
from speech.audio import SAMPLE_RATE
from speech.audio.input.files import load_audio
from speech.audio.input.pcm import to_pcm16
from speech.data.manifest import read_manifest
from tests.conftest import CLIPS
from tests.serve.conftest import Running, running

ANSWERS = "First of all, thank you very much for your question, which nobody has asked me before."
BLOCK = 512
Event = dict[str, Any]


@pytest.fixture(scope="module")
def answering(tmp_path_factory) -> Iterator[Running]:
    """A server that answers with the voice of the package."""
    script = tmp_path_factory.mktemp("script") / "answers.txt"
    script.write_text(f"{ANSWERS}\n", "utf-8")
    with running(voice_model="embedded-voice", answers=f"script:{script}", resume_s=20.0) as server:
        yield server


def clip(language: str = "eng", number: int = 0) -> np.ndarray:
    clips = [one for one in read_manifest(CLIPS) if one.language == language]
    return load_audio(clips[number].audio)


class Caller:
    """A client that speaks in real time: what is put into `say` is heard next, and silence when there is nothing."""

    def __init__(self, client: StreamClient) -> None:
        self.client, self.events = client, list[Event]()
        self._speech, self._ends = list[np.ndarray](), False
        self._sent = 0

    def say(self, samples: np.ndarray) -> None:
        self._speech.append(samples)

    def end(self) -> None:
        self._ends = True

    def of(self, kind: str) -> list[Event]:
        return [event for event in self.events if event["type"] == kind]

    async def until(self, what: Callable[[], object], seconds: float = 30.0) -> None:
        deadline = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < deadline, [event["type"] for event in self.events]
            await asyncio.sleep(0.01)

    async def send(self) -> None:
        began = time.monotonic()
        async for block in self._blocks():
            await self.client.send(to_pcm16(block))
            self._sent += len(block)
            await asyncio.sleep(max(began + self._sent / SAMPLE_RATE - time.monotonic(), 0))
        await self.client.stop()

    async def _blocks(self) -> AsyncIterator[np.ndarray]:
        while self._speech or not self._ends:
            speech = self._speech.pop(0) if self._speech else np.zeros(BLOCK, np.float32)
            for start in range(0, len(speech), BLOCK):
                yield speech[start : start + BLOCK]

    async def listen(self) -> None:
        async for event in self.client:
            self.events.append(event)


def talk(server: Running, script: Callable[[Caller], Any], **dialogue: Any) -> Caller:
    """Hold a dialogue; `script` says what the caller does."""

    async def run() -> Caller:
        url = f"{server.ws}/v1/stream"
        async with StreamClient(url, languages=["eng"], dialogue=dialogue) as client, asyncio.TaskGroup() as group:
            caller = Caller(client)
            group.create_task(caller.send())
            group.create_task(caller.listen())
            await script(caller)
            caller.end()
        return caller

    return asyncio.run(run())


def pcm(events: list[Event], reply: int) -> np.ndarray:
    """The samples of a reply."""
    data = b"".join(event["pcm"] for event in events if event["type"] == "reply_audio" and event["reply"] == reply)
    return np.frombuffer(data, "<i2")


def test_a_turn_is_answered_aloud_with_word_times_and_the_time_by_stage(answering):
    async def script(caller: Caller) -> None:
        caller.say(clip())
        await caller.until(lambda: caller.of("reply_done"))

    caller = talk(answering, script)
    kinds = [event["type"] for event in caller.events]
    order = ["turn", "reply_text", "reply_started", "reply_audio", "reply_done"]
    assert [kinds.index(kind) for kind in order] == sorted(kinds.index(kind) for kind in order)
    (turn,), (started,), (done,) = (caller.of(kind) for kind in ("turn", "reply_started", "reply_done"))
    finals = [event["text"] for event in caller.of("transcript") if event["is_final"]]
    assert turn["text"] == finals[0]
    assert turn["language"] == "eng"
    assert (done["text"], done["calls"]) == (ANSWERS, [])
    assert "".join(event["delta"] for event in caller.of("reply_text")) == ANSWERS
    assert list(started["stages"]) == ["final", "endpoint", "token", "sample", "sent"]
    assert started["stages"]["sent"] >= started["stages"]["endpoint"] >= 200
    said = pcm(caller.events, 0)
    assert len(said) > 3 * started["sample_rate"]
    assert np.abs(said[: started["sample_rate"] // 5]).max() > 500  # no silence before the first word
    words = [word for event in caller.of("reply_audio") for word in event["words"]]
    assert [word["text"] for word in words] == ANSWERS.replace(",", "").rstrip(".").split()
    assert "speech_reply_seconds_count" in httpx.get(f"{answering.http}/metrics").text


def test_words_over_our_voice_end_it_and_are_the_next_turn(answering):
    async def script(caller: Caller) -> None:
        caller.say(clip())
        await caller.until(lambda: len(caller.of("reply_audio")) > 20)
        caller.say(clip(number=1))
        await caller.until(lambda: caller.of("reply_truncated"))
        await caller.until(lambda: caller.of("reply_done"))

    caller = talk(answering, script)
    held, truncated = caller.of("reply_held")[0], caller.of("reply_truncated")[0]
    assert ANSWERS.startswith(truncated["text"])
    assert 0 < len(truncated["text"]) < len(ANSWERS)
    assert truncated["played_ms"] <= held["played_ms"]
    after = caller.events[caller.events.index(held) : caller.events.index(truncated)]
    assert not any(event["type"] == "reply_audio" for event in after)
    assert [turn["reply"] for turn in caller.of("turn")] == [0, 1]


def test_noise_over_our_voice_does_not_end_it(answering):
    noise = np.random.default_rng(0).normal(0, 0.2, SAMPLE_RATE // 2).astype(np.float32)

    async def script(caller: Caller) -> None:
        caller.say(clip())
        await caller.until(lambda: len(caller.of("reply_audio")) > 20)
        caller.say(noise)
        await caller.until(lambda: caller.of("reply_done"))

    caller = talk(answering, script)
    assert not caller.of("reply_truncated")
    assert len(caller.of("turn")) == 1
    assert len(caller.of("reply_held")) == len(caller.of("reply_resumed"))


def test_a_reply_waits_for_a_client_that_was_cut_off_and_is_given_once(answering):
    async def script(caller: Caller) -> None:
        caller.say(clip())
        await caller.until(lambda: len(caller.of("reply_audio")) > 20)
        socket = caller.client._socket
        assert socket is not None
        socket.transport.abort()
        await asyncio.sleep(1.0)
        await caller.until(lambda: caller.of("reply_done"))

    caller = talk(answering, script)
    assert caller.client.reconnect_attempts >= 1
    assert len(caller.of("turn")) == len(caller.of("reply_done")) == 1
    starts = [event["start_ms"] for event in caller.of("reply_audio")]
    ends = [event["start_ms"] + len(event["pcm"]) // 48 for event in caller.of("reply_audio")]
    assert all(start <= end + 1 for start, end in zip(starts[1:], ends, strict=False))  # nothing is left out


def test_replies_may_be_asked_for_and_cancelled(answering):
    async def script(caller: Caller) -> None:
        await caller.client.say({"type": "user_text", "text": "hello"})
        await caller.client.say({"type": "respond"})
        await caller.until(lambda: caller.of("reply_audio"))
        await caller.client.say({"type": "cancel_reply"})
        await caller.until(lambda: caller.of("reply_truncated"))
        await caller.client.say({"type": "update_dialogue", "dialogue": {"voice": "nobody"}})
        await caller.until(lambda: caller.of("error"))

    caller = talk(answering, script, automatic=False)
    assert caller.of("turn")[0]["text"] == ""
    assert (caller.of("error")[0]["code"], caller.of("error")[0]["fatal"]) == ("bad_config", False)


@pytest.mark.parametrize(
    ("dialogue", "code"),
    [
        ({"voice": "nobody"}, "bad_config"),
        ({"language": "klingonish"}, "bad_config"),
        ({"pause_ms": 200}, "bad_config"),
        ({"pause_ms": 1}, "bad_message"),
    ],
)
def test_what_cannot_be_is_refused_at_the_start(answering, dialogue, code):
    async def run() -> None:
        async with StreamClient(f"{answering.ws}/v1/stream", dialogue=dialogue):
            pass

    with pytest.raises(ServerError) as refused:
        asyncio.run(run())
    assert refused.value.code == code
