"""The dialogue of a session: events in, messages and jobs out."""

import numpy as np
import pytest

from serve.protocols.dialogue_messages import (
    CancelReply,
    Conversing,
    Respond,
    ToolResult,
    UpdateDialogue,
    UserText,
)
from serve.sessions.conversation import Conversation, settings_of
from serve.sessions.outbox import Outbox
from speech.dialogue.actions import Ask, Drop, Say
from speech.dialogue.answers.answerer import TextPiece
from speech.errors import ConfigError
from speech.tts.speech_stream import SaidWord, SpeechPacket
from tests.dialogue.talk import endpoint, transcript


def conversation(**options) -> tuple[Conversation, Outbox]:
    outbox = Outbox()
    made = Conversation(
        Conversing(**options),
        outbox,
        1000,
        lambda text, language, heard: 0.9,
        lambda text, language, confidence, seconds: False,
        "be kind",
    )
    return made, outbox


def taken(outbox: Outbox) -> list:
    """The messages that wait."""
    found = []
    while outbox.take(lambda message: found.append(message) or []) is not None:
        pass
    return found


def names(outbox: Outbox) -> list[str]:
    return [message.__struct_config__.tag for message in taken(outbox)]


def test_texts_and_audio_come_once_the_turn_is_over():
    made, outbox = conversation()
    made.hear([endpoint(1.0), transcript("hello", final=True)], 1.2, 10.0)
    (ask,) = made.jobs
    assert isinstance(ask, Ask)
    assert [message.text for message in ask.messages] == ["be kind", "hello"]
    voice = made.dialogue.voice
    voice.answered(0, TextPiece("Good day"), 10.0)
    voice.spoken(0, SpeechPacket(np.full(500, 0.5, np.float32), (SaidWord("Good", 0.0, 0.2, 0, 4),)), 10.0)
    made.tick(10.0)
    assert names(outbox) == []
    assert any(isinstance(job, Say) for job in made.jobs)
    made.hear([], 1.3, 10.1)
    turn, text, started, audio = taken(outbox)
    assert (turn.text, turn.language, turn.speech_end_ms) == ("hello", "eng", 1000)
    assert text.delta == "Good day"
    assert started.stages == {"final": 200, "endpoint": 300, "token": 200, "sample": 200, "sent": 300}
    assert (audio.start_ms, len(audio.pcm), audio.words[0].text) == (0, 400, "Good")


def test_what_is_dropped_is_never_told():
    made, outbox = conversation()
    made.hear([endpoint(1.0), transcript("hello", final=True)], 1.0, 10.0)
    made.dialogue.voice.answered(0, TextPiece("Good day"), 10.0)
    made.tick(10.0)
    made.hear([endpoint(1.1), transcript("you", final=True)], 1.1, 10.1)
    assert [type(job) for job in made.jobs] == [Ask, Say, Drop, Ask]
    made.hear([], 1.4, 10.4)
    assert names(outbox) == ["turn"]


def test_requests_of_the_client():
    made, outbox = conversation(automatic=False)
    made.receive(UserText("hi"), 1.0)
    made.receive(Respond("in French"), 1.0)
    (ask,) = made.jobs
    assert [message.text for message in ask.messages] == ["in French", "hi"]
    made.receive(CancelReply(), 1.1)
    assert names(outbox) == ["turn", "reply_truncated"]
    made.receive(ToolResult("a", "noon"), 1.2)
    made.receive(UpdateDialogue(Conversing(instructions="be brief")), 1.2)
    assert [message.role for message in made.dialogue.voice.history.messages()] == ["system", "user", "tool"]
    assert made.dialogue.voice.history.instructions == "be brief"
    assert made.dialogue.settings.automatic


def test_pauses_have_to_be_in_order():
    with pytest.raises(ConfigError, match="pauses of"):
        settings_of(Conversing(pause_ms=200), "")
