"""Messages of sessions in which the server answers aloud."""

import msgspec
import pytest

from serve.protocols import wire
from serve.protocols.dialogue_messages import Conversing, DialogueEvent, DialogueRequest, ReplyAudio
from serve.protocols.native import Native


def test_a_session_asks_for_a_dialogue_at_its_start():
    message = wire.parse('{"type": "start", "dialogue": {"voice": "af_heart", "pause_ms": 400}}')
    assert isinstance(message, wire.StartMessage)
    assert message.dialogue == Conversing(voice="af_heart", pause_ms=400)
    plain = wire.parse('{"type": "start"}')
    assert isinstance(plain, wire.StartMessage)
    assert plain.dialogue is None


@pytest.mark.parametrize("field", ['"pause_ms": 20', '"rate": 9', '"lead_ms": 0', '"colour": 1'])
def test_what_is_out_of_range_is_refused(field):
    with pytest.raises(wire.BadMessage):
        wire.parse(f'{{"type": "start", "dialogue": {{{field}}}}}')


def test_requests_and_events_are_messages_of_the_protocol():
    assert set(DialogueRequest.__args__) <= set(wire.ClientMessage.__args__)
    assert set(DialogueEvent.__args__) <= set(wire.ServerMessage.__args__)


def test_audio_follows_its_message_in_a_binary_one():
    message = ReplyAudio(seq=3, reply=1, start_ms=40, words=[], pcm=b"\1\0\2\0")
    text, data = Native({}, 1000).outgoing(message)
    assert data == b"\1\0\2\0"
    record = msgspec.json.decode(text)
    assert (record["type"], record["seq"], record["start_ms"]) == ("reply_audio", 3, 40)
    assert "pcm" not in record
