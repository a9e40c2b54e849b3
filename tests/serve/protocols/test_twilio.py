"""Calls of Twilio: events in and out without a socket, and whole calls over one."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import httpx
import numpy as np
import pytest
import soxr
from hypothesis import example, given
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from serve.protocols import wire
from serve.protocols.dialogue_messages import (
    ReplyAudio,
    ReplyDone,
    ReplyFailedMessage,
    ReplyHeld,
    ReplyResumed,
    ReplyStarted,
    ReplyText,
    ReplyTruncated,
)
from serve.protocols.twilio import Twilio
from serve.sessions.options import Refused
from speech.audio.input.pcm import Encoding, g711_values
from speech.audio.output import int16_samples, mu_law_bytes
from speech.dialogue.answers.answerer import KnownAnswer, TextPiece
from speech.dialogue.answers.echo import EchoAnswerer
from tests.serve.conftest import Running, running
from tests.tiny_voice import save_tiny_voice

RATE, PACKET = 24_000, 160
FORMAT = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
VALUES = g711_values(Encoding.mulaw)
WAIT_S = 300
"""For calls of a test that fails."""


def start(**changes: Any) -> dict[str, Any]:
    """The event as Twilio documents it."""
    stream = {
        "accountSid": "AC0", "streamSid": "MZ0", "callSid": "CA0", "tracks": ["inbound"], "mediaFormat": FORMAT,
        "customParameters": {},
    }  # fmt: skip
    return {"event": "start", "sequenceNumber": "1", "start": stream | changes, "streamSid": "MZ0"}


def media(data: bytes, track: str = "inbound") -> dict[str, Any]:
    payload = base64.b64encode(data).decode()
    inner = {"track": track, "chunk": "1", "timestamp": "5", "payload": payload}
    return {"event": "media", "sequenceNumber": "3", "media": inner, "streamSid": "MZ0"}


def told(adapter: Twilio, event: object) -> list[wire.ClientMessage | bytes]:
    return adapter.incoming(json.dumps(event))


def calling(**parameters: str) -> Twilio:
    adapter = Twilio(1 << 18)
    told(adapter, start(customParameters=parameters))
    return adapter


def audio_of(frames: Sequence[str]) -> np.ndarray:
    """The samples `(n,)` of frames that are all audio, in whole packets."""
    found = []
    for frame in frames:
        event = json.loads(frame)
        assert set(event) == {"event", "streamSid", "media"}
        assert (event["event"], event["streamSid"], set(event["media"])) == ("media", "MZ0", {"payload"})
        found.append(base64.b64decode(event["media"]["payload"], validate=True))
        assert found[-1]
        assert len(found[-1]) % PACKET == 0
    return VALUES[np.frombuffer(b"".join(found), np.uint8)]


def said(adapter: Twilio, samples: np.ndarray, *, last: bool = False) -> list[str]:
    message = ReplyAudio(seq=1, reply=0, start_ms=0, words=[], last=last, pcm=int16_samples(samples).tobytes())
    return [str(frame) for frame in adapter.outgoing(message)]


def begun(adapter: Twilio, rate: int = RATE) -> None:
    assert adapter.outgoing(ReplyStarted(seq=1, reply=0, sample_rate=rate, stages={})) == []


def sine(seconds: float, rate: int = RATE) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def test_a_call_starts_a_dialogue_and_its_audio_is_heard():
    adapter = Twilio(1 << 18)
    assert adapter.greet() == []
    assert told(adapter, {"event": "connected", "protocol": "Call", "version": "1.0.0"}) == []
    (opening,) = told(adapter, start())
    assert isinstance(opening, wire.StartMessage)
    assert opening.audio == wire.AudioParams("mulaw", 8000, 1)
    assert opening.languages == []
    assert opening.dialogue is not None
    assert opening.dialogue.forgets
    assert opening.dialogue.automatic
    assert opening.dialogue.lead_ms <= 200
    assert told(adapter, media(b"\x7f\xff")) == [b"\x7f\xff"]
    assert told(adapter, media(b"\x7f\xff", "outbound")) == []
    assert told(adapter, media(b"")) == []  # an empty message would end the audio
    assert told(adapter, {"event": "dtmf", "dtmf": {"track": "inbound_track", "digit": "1"}}) == []
    assert told(adapter, {"event": "mark", "mark": {"name": "reply-0"}}) == []
    assert told(adapter, {"event": "something new"}) == []
    assert told(adapter, {"event": "stop", "stop": {"accountSid": "AC0", "callSid": "CA0"}}) == [wire.Stop()]


def test_custom_parameters_say_what_is_spoken_and_others_are_ignored():
    given_ones = {"languages": "eng, German,", "language": "deu", "voice": "ben", "instructions": "Be brief.", "x": "y"}
    (opening,) = told(Twilio(1 << 18), start(customParameters=given_ones))
    assert isinstance(opening, wire.StartMessage)
    assert opening.languages == ["eng", "German"]
    dialogue = opening.dialogue
    assert dialogue is not None
    assert (dialogue.language, dialogue.voice, dialogue.instructions) == ("deu", "ben", "Be brief.")


@pytest.mark.parametrize(
    ("event", "code", "says"),
    [
        ({"event": "media", "media": {"payload": "//8="}}, "bad_message", "before start"),
        ({"event": "media"}, "bad_message", "without"),
        ({"event": "media", "media": {"payload": "no base64"}}, "bad_message", "base64"),
        ({"event": "start"}, "bad_message", "streamSid"),
        (start(streamSid=""), "bad_message", "streamSid"),
        (start(streamSid="M" * 201), "bad_message", "streamSid"),
        (start(streamSid=1), "bad_message", "streamSid"),
        (start(mediaFormat={**FORMAT, "encoding": "audio/l16"}), "bad_config", "audio/l16"),
        (start(mediaFormat={**FORMAT, "sampleRate": 16000}), "bad_config", "16000 Hz"),
        (start(mediaFormat={**FORMAT, "channels": 2}), "bad_config", "2 channels"),
        (start(customParameters={"voice": "v" * 201}), "bad_config", "parameter voice"),
        (start(customParameters={"languages": "eng," * 65}), "bad_config", "parameter languages"),
        (start(customParameters={"voice": 1}), "bad_message", "str"),
        ({"event": 1}, "bad_message", "event"),
        ({}, "bad_message", "event"),
        ([], "bad_message", "array"),
    ],
)
def test_wrong_events_are_refused_by_name(event, code, says):
    with pytest.raises(Refused, match=says) as refused:
        told(Twilio(1 << 18), event)
    assert refused.value.code == code
    assert refused.value.close in (wire.CloseCode.bad_message, wire.CloseCode.bad_config)


def test_frames_that_are_no_events_are_refused():
    for frame, close in ((b"\0\0", 4400), ("{", 4400), (" " * 101, 1009)):
        with pytest.raises(Refused) as refused:
            Twilio(100).incoming(frame)
        assert refused.value.close == close


def test_a_call_starts_once():
    with pytest.raises(Refused, match="before"):
        told(calling(), start())


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_NAMES = st.sampled_from(["connected", "start", "media", "mark", "dtmf", "stop", "else"])
_STREAMS = st.fixed_dictionaries(
    {},
    optional={
        "streamSid": st.text(max_size=3) | _JSON,
        "mediaFormat": st.just(FORMAT) | st.fixed_dictionaries({}, optional=dict.fromkeys(FORMAT, _JSON)) | _JSON,
        "customParameters": st.dictionaries(
            st.sampled_from(["languages", "language", "voice", "instructions", "x"]), st.text(max_size=300) | _JSON
        ),
    },
)
_MEDIA = st.fixed_dictionaries({}, optional={"payload": st.sampled_from(["", "//8=", "?"]) | _JSON, "track": _JSON})
_EVENTS = st.fixed_dictionaries(
    {}, optional={"event": _NAMES | _JSON, "start": _STREAMS | _JSON, "media": _MEDIA | _JSON}
)


def meaning(adapter: Twilio, frame: str | bytes) -> list[wire.ClientMessage | bytes] | Refused:
    try:
        return adapter.incoming(frame)
    except Refused as refused:
        return refused


@given(st.lists(_EVENTS | _JSON, max_size=6))
@example([{"event": "start", "start": {"streamSid": "MZ0"}}, {"event": "media", "media": {"payload": "//8="}}])
def test_any_json_is_understood_ignored_or_refused(events):
    adapter = Twilio(1 << 18)
    for event in events:
        found = meaning(adapter, json.dumps(event))
        if isinstance(found, Refused):
            json.dumps(found.message).encode()
            assert found.close is not None
            continue
        assert all(isinstance(one, wire.StartMessage | wire.Stop) or (isinstance(one, bytes) and one) for one in found)


@given(st.text() | st.binary())
def test_any_frame_is_ignored_or_refused(frame):
    found = meaning(Twilio(1 << 18), frame)
    assert found.close == wire.CloseCode.bad_message if isinstance(found, Refused) else found == []


@given(st.lists(st.integers(1, 5000), max_size=8), st.sampled_from([8000, 22_050, 24_000]))
def test_audio_in_any_pieces_is_that_of_the_whole_in_packets_of_20_ms(sizes, rate):
    adapter, samples = calling(), sine(0.7, rate)
    begun(adapter, rate)
    cuts = np.cumsum([0, *sizes])
    frames = [frame for a, b in pairwise(cuts) for frame in said(adapter, samples[a:b])]
    frames += said(adapter, samples[cuts[-1] :], last=True)
    heard = audio_of(frames)
    whole = np.asarray(soxr.resample(samples, rate, 8000), np.float32)
    assert len(whole) <= len(heard) < len(whole) + PACKET
    assert np.abs(heard[: len(whole)] - whole).max() < 0.02  # half a step of mu-law at this level
    assert np.abs(heard[len(whole) :]).max(initial=0.0) < 0.001
    done = adapter.outgoing(ReplyDone(seq=1, reply=0, text="", calls=[]))
    assert [json.loads(frame) for frame in done] == [{"event": "mark", "streamSid": "MZ0", "mark": {"name": "reply-0"}}]


@pytest.mark.parametrize(
    "end", [ReplyDone(seq=1, reply=7, text="", calls=[]), ReplyFailedMessage(seq=1, reply=7, message="no voice")]
)
def test_the_rest_of_a_reply_whose_end_was_not_known_comes_before_its_mark(end):
    adapter, samples = calling(), sine(0.5)
    begun(adapter)
    frames = said(adapter, samples)
    *rest, mark = (str(frame) for frame in adapter.outgoing(end))
    assert json.loads(mark)["mark"] == {"name": "reply-7"}
    assert rest
    assert 4000 <= len(audio_of([*frames, *rest])) < 4000 + PACKET


def test_a_reply_that_waits_or_is_cut_empties_the_line_and_goes_on_with_nothing_of_what_was_before():
    for message in (ReplyHeld(seq=1, reply=0, played_ms=10), ReplyTruncated(seq=1, reply=0, text="", played_ms=10)):
        adapter = calling()
        begun(adapter)
        said(adapter, sine(0.333))
        (frame,) = adapter.outgoing(message)
        assert json.loads(frame) == {"event": "clear", "streamSid": "MZ0"}
        assert adapter.outgoing(ReplyResumed(seq=1, reply=0)) == []
        silence = audio_of(said(adapter, np.zeros(RATE, np.float32), last=True))
        assert len(silence) == 8000
        assert np.abs(silence).max() < 0.001


def test_nothing_else_reaches_twilio():
    adapter = calling()
    error = wire.Error(seq=1, code="internal", message="", fatal=True, retryable=True)
    for message in (
        ReplyText(seq=1, reply=0, delta="Hello"),
        wire.Alive(seq=1),
        error,
        wire.SpeechStarted(seq=1, at_ms=0),
    ):
        assert adapter.outgoing(message) == []


# Over a socket


@pytest.fixture(scope="module")
def phone(tmp_path_factory: pytest.TempPathFactory, whisper_checkpoint) -> Iterator[Running]:
    """A server with keys that answers what its small voice can say, about 12 s."""
    voice = save_tiny_voice(tmp_path_factory.mktemp("voice") / "model")
    with pytest.MonkeyPatch.context() as patch:
        text = "A bad desk. " * 10
        patch.setattr(EchoAnswerer, "answer", lambda *_: KnownAnswer([TextPiece(text)]))
        options = {"model": str(whisper_checkpoint), "precision": "float32", "api_keys": ["key"]}
        with running(voice_model=str(voice), answers="echo", watermark=False, **options) as server:
            yield server


@pytest.fixture(scope="module")
def turn(speech: np.ndarray) -> bytes:
    """A clip and a pause, as mu-law at 8 kHz."""
    clip = np.asarray(soxr.resample(speech[: 3 * 16_000], 16_000, 8000), np.float32)
    return mu_law_bytes(np.concatenate([clip, np.zeros(12_000, np.float32)]))


def token(server: Running) -> str:
    headers = {"Authorization": "Bearer key"}
    answer = httpx.post(f"{server.http}/v1/realtime/client_secrets", headers=headers, timeout=60)
    return str(answer.json()["value"])


def tell(socket: ClientConnection, *events: dict[str, Any]) -> None:
    for event in events:
        socket.send(json.dumps(event))


def speak(socket: ClientConnection, data: bytes) -> None:
    for begin in range(0, len(data), PACKET):
        tell(socket, media(data[begin : begin + PACKET]))


def heard_to(socket: ClientConnection, kind: str) -> tuple[list[str], dict[str, Any]]:
    """Frames of audio up to an event of another kind, which comes next."""
    frames: list[str] = []
    while True:
        frame = str(socket.recv(timeout=WAIT_S))
        event = json.loads(frame)
        if event["event"] == kind:
            return frames, event
        assert event["event"] == "media", event
        frames.append(frame)


def test_a_spoken_turn_is_answered_and_an_interruption_empties_the_line(phone: Running, turn: bytes):
    with connect(f"{phone.ws}/v1/twilio/{token(phone)}") as socket:
        tell(socket, {"event": "connected", "protocol": "Call", "version": "1.0.0"}, start())
        speak(socket, turn)
        first = str(socket.recv(timeout=WAIT_S))
        assert np.abs(audio_of([first])).max() > 0.01
        speak(socket, turn)  # over the reply
        frames, event = heard_to(socket, "clear")
        assert event == {"event": "clear", "streamSid": "MZ0"}
        assert len(audio_of([first, *frames])) < 10 * 8000
        tell(socket, {"event": "stop", "stop": {}})
        assert {json.loads(frame)["event"] for frame in socket} <= {"media", "clear", "mark"}
        assert socket.close_code == 1000


def test_a_reply_is_heard_to_its_mark(phone: Running, turn: bytes):
    with connect(f"{phone.ws}/v1/twilio?token={token(phone)}") as socket:
        tell(socket, start(customParameters={"voice": "ann", "language": "eng"}))
        speak(socket, turn)
        frames, mark = heard_to(socket, "mark")
        assert mark["mark"] == {"name": "reply-0"}
        assert 5 * 8000 < len(audio_of(frames)) < 20 * 8000


def test_who_has_no_token_is_refused_before_the_call(phone: Running):
    for path in ("/v1/twilio", "/v1/twilio/ek_0.a.b", "/v1/twilio/key"):
        with pytest.raises(InvalidStatus) as refused, connect(f"{phone.ws}{path}"):
            pass
        assert refused.value.response.status_code == 401


@pytest.mark.parametrize(
    ("event", "code", "reason"),
    [
        (start(customParameters={"voice": "nobody"}), 4422, "nobody"),
        (start(customParameters={"languages": "Klingon"}), 4422, "Klingon"),
        (start(mediaFormat={**FORMAT, "channels": 2}), 4422, "2 channels"),
        (media(b"\xff"), 4400, "media before start"),
    ],
)
def test_a_wrong_call_is_closed_with_the_reason_and_no_event(phone: Running, event, code, reason):
    with connect(f"{phone.ws}/v1/twilio/{token(phone)}") as socket:
        tell(socket, event)
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=WAIT_S)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == code
    assert reason in closed.value.rcvd.reason


def test_a_server_that_does_not_answer_refuses_calls(whisper_checkpoint):
    with running(model=str(whisper_checkpoint), precision="float32") as server:
        with pytest.raises(InvalidStatus) as refused, connect(f"{server.ws}/v1/twilio"):
            pass
        assert refused.value.response.status_code == 404
        assert b"--answers" in bytes(refused.value.response.body or b"")
        with connect(f"{server.ws}/v1/twilio", origin=server.http) as page:
            with pytest.raises(ConnectionClosed) as closed:
                page.recv(timeout=WAIT_S)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4400
            assert closed.value.rcvd.reason.startswith("no_dialogue")
