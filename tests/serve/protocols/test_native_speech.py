"""Messages of `/v1/speak`: what is parsed, what is refused, and how words and samples are rendered."""

from __future__ import annotations

import json

import numpy as np
import pytest

from serve.protocols.close_codes import CloseCode
from serve.protocols.native_speech import NativeSpeaking, SpeakStart, audio_frames, parse
from serve.protocols.speaking_protocol import SpeakCancel, SpeakEnd, SpeakFlush, SpeakingRefused, SpeakText
from speech.tts.speech_stream import SaidWord, SpeechPacket


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ('{"type": "start"}', SpeakStart()),
        ('{"type": "start", "voice": "a", "rate": 1.5, "seed": 2, "language": "spa"}', SpeakStart(
            voice="a", rate=1.5, seed=2, language="spa"
        )),
        ('{"type": "text", "text": "né"}', SpeakText("né")),
        ('{"type": "flush"}', SpeakFlush()),
        ('{"type": "cancel"}', SpeakCancel()),
        ('{"type": "end"}', SpeakEnd()),
    ],
)  # fmt: skip
def test_messages_are_parsed(frame, message):
    assert parse(frame, 100) == message


@pytest.mark.parametrize(
    ("frame", "close"),
    [
        (b"{}", CloseCode.bad_message),
        ("{", CloseCode.bad_message),
        ("[" * 90, CloseCode.bad_message),
        ('{"type": "none"}', CloseCode.bad_message),
        ('{"type": "flush", "more": 1}', CloseCode.bad_message),
        ('{"type": "text"}', CloseCode.bad_message),
        ("x" * 101, CloseCode.too_big),
    ],
)
def test_others_are_refused(frame, close):
    with pytest.raises(SpeakingRefused) as refused:
        parse(frame, 100)
    assert refused.value.close == close


def test_frames_are_cut_and_clipped():
    frames = audio_frames(np.array([0, 0.5, -2, 2, 0.1], np.float32), 2)
    assert [np.frombuffer(frame, "<i2").tolist() for frame in frames] == [[0, 16384], [-32767, 32767], [3277]]
    assert audio_frames(np.zeros(0, np.float32), 2) == []


def test_words_come_before_their_samples():
    protocol = NativeSpeaking(100, 8)
    packet = SpeechPacket(np.array([0, 0.5, -2], np.float32), (SaidWord("five", 0.12345, 0.5, 3, 5),))
    words, *audio = protocol.packet(packet, "", 0.0)
    said = {"type": "words", "words": [{"text": "five", "start": 0.123, "end": 0.5, "source": [3, 5]}]}
    assert json.loads(words) == said
    assert np.frombuffer(b"".join(audio), "<i2").tolist() == [0, 16384, -32767]
    assert len(audio) == 2  # a quarter of a second each


def test_events_and_errors_are_told():
    protocol = NativeSpeaking(100, 8)
    told = [*protocol.started(), *protocol.flushed(1.23456), *protocol.cancelled(), *protocol.done(2)]
    assert [json.loads(frame) for frame in told] == [
        {"type": "started", "sample_rate": 8, "encoding": "pcm_s16le"},
        {"type": "flushed", "seconds": 1.235},
        {"type": "cancelled"},
        {"type": "done", "seconds": 2},
    ]
    [error] = protocol.refused(SpeakingRefused("idle", "nothing came", CloseCode.idle))
    assert json.loads(error) == {"type": "error", "code": "idle", "message": "nothing came"}


def test_the_first_message_is_start_and_no_other():
    protocol = NativeSpeaking(100, 8)
    opening = protocol.open('{"type": "start", "language": "spa", "rate": 1.5}')
    assert (opening.options.language, opening.options.rate, opening.commands) == ("spa", 1.5, ())
    for call, frame, message in (
        (protocol.open, '{"type": "end"}', "expected start first"),
        (protocol.open, '{"type": "start", "rate": 9}', "rate 9"),
        (protocol.commands, '{"type": "start"}', "a second start"),
    ):
        with pytest.raises(SpeakingRefused, match=message):
            call(frame)
