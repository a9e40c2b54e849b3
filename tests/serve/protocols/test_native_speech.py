"""Messages of `/v1/speak`: what is parsed, what is refused, and how words and samples are rendered."""

from __future__ import annotations

import numpy as np
import pytest

from serve.protocols.close_codes import CloseCode
from serve.protocols.native_speech import (
    SpeakCancel,
    SpeakEnd,
    SpeakFlush,
    SpeakingRefused,
    SpeakStart,
    SpeakText,
    audio_frames,
    parse,
    words_message,
)
from speech.tts.speech_stream import SaidWord


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


def test_words_and_samples_are_rendered():
    message = words_message((SaidWord("five", 0.12345, 0.5, 3, 5),))
    assert message == {"type": "words", "words": [{"text": "five", "start": 0.123, "end": 0.5, "source": [3, 5]}]}
    frames = audio_frames(np.array([0, 0.5, -2, 2, 0.1], np.float32), 2)
    assert [np.frombuffer(frame, "<i2").tolist() for frame in frames] == [[0, 16384], [-32767, 32767], [3277]]
    assert audio_frames(np.zeros(0, np.float32), 2) == []
