"""JSON that is none, or not what anybody means: each protocol refuses it by name and goes on."""

import json

import pytest

from serve.net.websocket import ProtocolAdapter, Reply
from serve.protocols import wire
from serve.protocols.deepgram import Deepgram
from serve.protocols.native import Native
from serve.protocols.openai_conversation import OpenAiConversation
from serve.protocols.openai_realtime import OpenAiRealtime
from serve.protocols.twilio import Twilio
from serve.protocols.vosk import Vosk
from serve.sessions.options import Refused

ADAPTERS = {
    "native": lambda: Native({}, 1 << 20),
    "deepgram": lambda: Deepgram([], 1 << 20),
    "openai": lambda: OpenAiRealtime(["eng"]),
    "twilio": lambda: Twilio(1 << 20),
    "openai_conversation": lambda: OpenAiConversation(["eng"], lambda name, language: name, "m"),
    "vosk": lambda: Vosk({}, 1 << 20),
}
ODD = [
    "", "{", "[]", "null", "NaN", '{"type":NaN}', '{"type":Infinity}', '{"type":1e999}',
    '{"type":"start","audio":1e999}',
    '{"type":"resume","session":"a","token":"b","last_seq":1e400}', '{"type":"finalize","id":' + "9" * 5000 + "}",
    '{"type":"start","audio":{"sample_rate":' + "9" * 400 + "}}", '{"config":{"sample_rate":1e999}}',
    '{"config":{"sample_rate":NaN}}', '{"config":{"sample_rate":' + "9" * 5000 + "}}", '{"type":"\ud800"}',
    '{"type":"\\ud800"}', '{"type":"start","phrases":["\\udc00"]}', "[" * 100_000, '{"a":' * 100_000,
    '{"type":' + "[" * 50_000 + "]" * 50_000 + "}", '{"type":"Configure","endpointing":1e999}', "\0", "\ufeff{}",
    '{"type":"input_audio_buffer.append","audio":"\\ud800"}', '{"type":"session.update","session":' + '{"a":' * 5000,
]  # fmt: skip


def said(adapter: ProtocolAdapter, frame: str) -> list[object]:
    """What a frame means to an adapter; every answer can be sent."""
    try:
        meant = list(adapter.incoming(frame))
    except Refused as refused:
        json.dumps(refused.message).encode()
        return [refused]
    for item in meant:
        if isinstance(item, Reply):
            json.loads(item.frame.encode())
    return meant


@pytest.mark.parametrize("name", ADAPTERS)
@pytest.mark.parametrize("frame", ODD, ids=range(len(ODD)))
def test_odd_json_is_refused_and_nothing_else_happens(name, frame):
    adapter = ADAPTERS[name]()
    for item in said(adapter, frame):
        if not isinstance(item, Refused | Reply | wire.StartMessage):
            assert name == "vosk" or item == wire.Update() or frame.startswith('{"type":"start"'), item
    assert said(adapter, "{}") or name == "vosk"


def test_a_key_that_is_said_twice_holds_as_said_last_and_a_type_is_refused():
    frame = '{"type":"finalize","id":"a","id":"b"}'
    assert said(ADAPTERS["native"](), frame) == [wire.Finalize(id="b")]
    assert isinstance(said(ADAPTERS["native"](), '{"type":"stop","type":"keepalive"}')[0], Refused)
