"""Answers are asked for on threads and said in turns; what is dropped is closed at once."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from serve.engine.speaking_turns import SpeakingTurns
from serve.protocols.dialogue_messages import CancelReply, Conversing, Respond, UpdateDialogue, UserText
from serve.sessions.mouth import Mouth
from serve.sessions.options import Refused
from serve.sessions.replies import open_replies
from serve.telemetry import Telemetry
from speech.dialogue.answers.answerer import KnownAnswer, TextPiece
from speech.errors import AnswerError, ConfigError
from speech.tts.speech_stream import SpeechPacket
from tests.serve.conftest import facts, until


class Text:
    """Says a word in a tenth of a second."""

    seconds = 0.0

    def feed(self, piece):
        for _ in piece.split():
            self.seconds += 0.1
            yield SpeechPacket(np.full(100, 0.5, np.float32), ())

    def flush(self):
        return iter(())


class Voice:
    """A speaker without a model."""

    sample_rate = 1000

    def open(self, options):
        if options.voice == "nobody":
            raise ConfigError("there is no voice 'nobody'")
        return Text()

    def language_of(self, voice):
        return "eng"


class Slow:
    """An answer that never comes, until it is closed."""

    def __init__(self):
        self.closed = threading.Event()

    def __iter__(self):
        return self

    def __next__(self):
        assert self.closed.wait(10)
        raise StopIteration

    def close(self):
        self.closed.set()


class Refusing(Slow):
    """No answer."""

    def __next__(self):
        raise AnswerError("answers 401")


class Answers:
    """Gives one answer after the other."""

    def __init__(self, *answers):
        self._answers = iter(answers)

    def answer(self, messages, tools=()):
        return next(self._answers)


def holding(script, *answers, **options):
    """Run a script with the replies of a session; returns the messages."""

    async def run():
        from serve.protocols import wire
        from serve.sessions.live import LiveSession

        speech, alone, waiting = (ThreadPoolExecutor(2) for _ in range(3))
        telemetry = Telemetry()
        turns = SpeakingTurns(speech, alone, telemetry)
        mouth = Mouth(
            Answers(*answers),
            Voice(),
            turns,
            waiting,
            telemetry,
            lambda text, language, heard: 0.9,
            lambda text, language, confidence, seconds: False,
        )
        session = LiveSession(facts(), wire.StartMessage(), 0.0)
        replies = open_replies(session, Conversing(automatic=False, **options), mouth, lambda: None)
        found = []

        def collect():
            while session.outbox.take(lambda message: found.append(message) or []) is not None:
                pass
            return [message.__struct_config__.tag for message in found]

        try:
            await script(replies, collect)
        finally:
            replies.close()
            for pool in (speech, alone, waiting):
                pool.shutdown(wait=False)
        return found

    return asyncio.run(run())


def test_an_answer_is_said_as_it_comes():
    async def script(replies, collect):
        replies.receive(UserText("hello"))
        replies.receive(Respond())
        await until(lambda: "reply_done" in collect(), 10)

    found = holding(script, KnownAnswer([TextPiece("one two "), TextPiece("three")]))
    tags = [message.__struct_config__.tag for message in found]
    assert tags[:3] == ["started", "turn", "reply_text"]
    assert sum(len(message.pcm) for message in found if message.__struct_config__.tag == "reply_audio") == 600


def test_a_cancelled_answer_is_closed_at_once():
    slow = Slow()

    async def script(replies, collect):
        replies.receive(Respond())
        await asyncio.sleep(0.05)
        replies.receive(CancelReply())
        await until(slow.closed.is_set, 1)
        assert "reply_truncated" in collect()

    holding(script, slow)


def test_an_answer_that_fails_is_told_by_its_reason():
    async def script(replies, collect):
        replies.receive(Respond())
        await until(lambda: "reply_failed" in collect(), 10)

    (failed,) = (one for one in holding(script, Refusing()) if one.__struct_config__.tag == "reply_failed")
    assert "answers 401" in failed.message


def test_what_there_is_not_is_refused():
    async def script(replies, collect):
        with pytest.raises(Refused) as refused:
            replies.receive(UpdateDialogue(Conversing(voice="nobody")))
        assert refused.value.code == "bad_config"

    holding(script)
    with pytest.raises(Refused, match="nobody"):
        holding(script, voice="nobody")


def test_a_server_without_answers_says_how_it_gets_some():
    with pytest.raises(Refused, match="--answers"):
        open_replies(None, Conversing(), None, lambda: None)
