"""Both protocols that take text and send speech read commands and answer them as the connection expects."""

from __future__ import annotations

import pytest

from serve.protocols.close_codes import CloseCode
from serve.protocols.elevenlabs import ElevenLabsSpeaking
from serve.protocols.native_speech import NativeSpeaking
from serve.protocols.speaking_protocol import SpeakFlush, SpeakingProtocol, SpeakingRefused, SpeakText
from speech.speaker import Speaker
from tests.tts.counting import CountingSynthesizer, LetterPronouncer

PROTOCOLS = {
    "native": (
        lambda: NativeSpeaking(200, 8000),
        '{"type": "start", "voice": "low"}',
        ['{"type": "text", "text": "Hi"}', '{"type": "flush"}'],
    ),
    "elevenlabs": (
        lambda: ElevenLabsSpeaking(Speaker(CountingSynthesizer(), LetterPronouncer()), "low", {}, 200),
        '{"text": " "}',
        ['{"text": "Hi", "flush": true}'],
    ),
}


@pytest.fixture(params=PROTOCOLS)
def conversation(request):
    make, first, later = PROTOCOLS[request.param]
    protocol: SpeakingProtocol = make()
    return protocol, first, later


def test_a_voice_is_chosen_first_and_text_follows(conversation):
    protocol, first, later = conversation
    opening = protocol.open(first)
    assert opening.options.voice == "low"
    assert not opening.commands
    assert [command for frame in later for command in protocol.commands(frame)] == [SpeakText("Hi"), SpeakFlush()]


def test_frames_are_bounded_and_text(conversation):
    protocol, first, _ = conversation
    protocol.open(first)
    for frame, close in ((b"{}", CloseCode.bad_message), ("x" * 201, CloseCode.too_big), ("{", CloseCode.bad_message)):
        with pytest.raises(SpeakingRefused) as refused:
            protocol.commands(frame)
        assert refused.value.close == close
    assert all(isinstance(frame, str) for frame in protocol.refused(refused.value))
