"""What is translated is said in order, a little before it is heard; what cannot be said is told, and delays nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from serve.engine.speaking_turns import SpeakingTurns
from serve.protocols import wire
from serve.protocols.dialogue_messages import Conversing
from serve.protocols.interpreting_messages import Interpreting, TranslationAudio
from serve.sessions.interpreting import SaidTranslations, check_interpreting
from serve.sessions.mouth import ServerVoice
from serve.sessions.options import Refused
from serve.sessions.outbox import Outbox
from serve.telemetry import Telemetry
from speech.errors import ConfigError, LanguageError
from speech.events import TranslationEvent
from speech.stream.options import StreamOptions, TranslationOptions
from speech.transcript import Word
from speech.tts.speech_stream import SaidWord, SpeechPacket
from tests.serve.conftest import until

RATE = 1000
WORD_S = 0.05


class SpokenText:
    """Says each word as a level sound of its own height."""

    def __init__(self, rate: float) -> None:
        self.seconds, self._rate = 0.0, rate

    def feed(self, piece):
        for word in piece.split():
            if "unspeakable" in word:
                raise LanguageError("no letters of any language")
            if "broken" in word:
                raise ZeroDivisionError
            seconds = 0.0 if "mute" in word else WORD_S
            start, self.seconds = self.seconds, self.seconds + seconds
            said = SaidWord(word, start, self.seconds, 0, len(word))
            yield SpeechPacket(np.full(round(seconds * RATE), 0.5, np.float32), (said,))

    def flush(self):
        return iter(())


class SpeakerOfSounds:
    """A speaker without a model, which knows English and German."""

    sample_rate = RATE

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def check_pronunciation(self, language):
        if language not in ("eng", "deu"):
            raise LanguageError(f"no pronunciation is known in {language!r}")

    def open(self, options):
        if options.voice == "nobody":
            raise ConfigError("there is no voice 'nobody'")
        self.asked.append((options.language, options.voice))
        return SpokenText(options.rate)


class Saying:
    """What a session says, and its messages."""

    def __init__(self, said: SaidTranslations, outbox: Outbox, telemetry: Telemetry, speaker: SpeakerOfSounds) -> None:
        self.said, self._outbox, self.telemetry, self.speaker = said, outbox, telemetry, speaker
        self.ended = False
        self._found: list[wire.ServerMessage] = []

    @property
    def messages(self) -> list[wire.ServerMessage]:
        while self._outbox.take(lambda message: self._found.append(message) or []) is not None:
            pass
        return self._found

    @property
    def audio(self) -> list[TranslationAudio]:
        return [message for message in self.messages if isinstance(message, TranslationAudio)]

    @property
    def texts(self) -> list[str]:
        return [message.text for message in self.audio if message.text is not UNSET]

    async def end(self, seconds: float = 20.0) -> None:
        self.said.hear([], last=True)
        await until(lambda: self.ended, seconds)


def saying(script: Callable[[Saying], Awaitable[None]], **wanted: object) -> Saying:
    """Run a script with what a session says."""

    async def run() -> Saying:
        pools = ThreadPoolExecutor(2), ThreadPoolExecutor(1)
        telemetry, speaker, outbox = Telemetry(), SpeakerOfSounds(), Outbox()
        voice = ServerVoice(speaker, SpeakingTurns(*pools, telemetry), telemetry)

        def ended() -> None:
            found.ended = True

        options = Interpreting(**{"target": "eng", "carry_rate": False, **wanted})
        found = Saying(SaidTranslations(outbox, voice, options, lambda: None, ended), outbox, telemetry, speaker)
        try:
            await script(found)
        finally:
            found.said.close()
            for pool in pools:
                pool.shutdown(wait=False)
        return found

    return asyncio.run(run())


def written(text: str, segment: int = 0, *, target: str = "eng", final: bool = True) -> TranslationEvent:
    """A translation whose words lie a tenth of a second apart in the source."""
    words = tuple(Word(w, 0.1 * n, 0.1 * n + 0.1, 0.9, target) for n, w in enumerate(text.split()))
    return TranslationEvent(
        segment=segment, target=target, is_final=final, text=text, stable=len(words), words=words,
        start_s=0.0, end_s=0.1 * len(words), audio_s=0.1 * len(words),
    )  # fmt: skip


def pcm(found: Saying) -> np.ndarray:
    return np.frombuffer(b"".join(message.pcm for message in found.audio), "<i2")


def check_order(found: Saying) -> None:
    """Samples follow each other, words do, and each utterance begins with its text and ends once."""
    place, open_ = 0, False
    for message in found.audio:
        assert message.start_ms == pytest.approx(1000 * place / RATE, abs=1)
        place += len(message.pcm) // 2
        assert (message.text is UNSET) == open_
        assert message.sample_rate == RATE
        open_ = not message.last
    assert not open_
    times = [time for message in found.audio for word in message.words for time in (word.start_ms, word.end_ms)]
    assert all(one <= other + 1 for one, other in pairwise(times))
    assert [message.seq for message in found.messages] == list(range(1, len(found.messages) + 1))


def test_what_is_written_is_said_with_its_words_and_its_source():
    async def script(found: Saying) -> None:
        found.said.hear([written("Good morning, my dear friends. How are you?")], last=False)
        await found.end()

    found = saying(script)
    check_order(found)
    assert found.texts == ["Good morning, my dear friends.", "How are you?"]
    words = [word for message in found.audio for word in message.words]
    assert [word.text for word in words] == "Good morning, my dear friends. How are you?".split()
    assert found.audio[0].source == [0, 500]
    assert found.audio[-1].source == [500, 800]
    spoken = np.flatnonzero(np.abs(pcm(found)) > 1000)
    assert len(spoken) == 8 * WORD_S * RATE
    assert spoken[0] == words[0].start_ms
    metrics = found.telemetry.render().decode()
    assert 'speech_translated_utterances_total{status="said"} 2.0' in metrics
    assert "speech_translation_behind_seconds_count 2.0" in metrics


def test_the_end_waits_for_what_is_said_and_comes_at_once_where_there_is_nothing():
    async def script(found: Saying) -> None:
        await found.end(1.0)

    assert saying(script).messages == []


def test_what_cannot_be_said_is_told_and_the_rest_is_said():
    async def script(found: Saying) -> None:
        texts = ["One unspeakable word.", "This is broken.", "It is mute."]
        found.said.hear([written(text, n) for n, text in enumerate([*texts, "But this is heard."])], last=False)
        await found.end()

    found = saying(script)
    check_order(found)
    notices = [message for message in found.messages if isinstance(message, wire.Notice)]
    assert [notice.code for notice in notices] == ["not_said"] * 2
    assert "no letters of any language" in notices[0].message
    assert found.texts[-1] == "But this is heard."
    assert 'speech_translated_utterances_total{status="failed"} 2.0' in found.telemetry.render().decode()


def test_an_interpreter_that_fails_ends_the_voice_and_not_the_session():
    async def script(found: Saying) -> None:
        found.said._interpreter.due_s = lambda now: 1 / 0
        found.said.hear([written("Hello.")], last=False)
        await until(lambda: found.ended, 5.0)

    found = saying(script)
    assert [message.code for message in found.messages] == ["not_said"]


def test_a_long_utterance_is_sent_a_little_before_it_is_heard():
    text = " ".join(["word"] * 80) + "."  # four seconds

    async def script(found: Saying) -> None:
        began = time.monotonic()
        found.said.hear([written(text)], last=False)
        await found.end()
        assert time.monotonic() - began >= 4.0 - 2.0 - 0.2

    check_order(saying(script))


def test_while_the_client_is_away_nothing_is_said_and_nothing_is_lost():
    async def script(found: Saying) -> None:
        found.said.listened_to(there=False)
        found.said.hear([written("Nobody is there to hear it.")], last=False)
        await asyncio.sleep(0.2)
        assert not found.messages
        found.said.listened_to(there=True)
        await until(lambda: found.texts, 5.0)
        found.said.hear([written(" ".join(["word"] * 80) + ".", 1)], last=True)  # of which a part waits when it leaves
        await until(lambda: len(found.texts) == 2, 5.0)
        found.said.listened_to(there=False)
        count = len(found.audio)
        await asyncio.sleep(2.5)
        assert len(found.audio) == count
        assert not found.ended
        found.said.listened_to(there=True)
        await until(lambda: found.ended, 10.0)

    found = saying(script)
    check_order(found)
    assert len(np.flatnonzero(np.abs(pcm(found)) > 1000)) == 86 * WORD_S * RATE


def test_another_language_is_said_from_what_is_written_then_and_none_is_silence():
    async def script(found: Saying) -> None:
        found.said.hear([written("Hello.")], last=False)
        await until(lambda: found.texts, 5.0)
        found.said.hear([written("Guten Tag", 1, target="deu", final=False)], last=False)
        found.said.change(Interpreting(target="deu", voice="ben", carry_rate=False))
        found.said.hear([written("Nobody hears this.", 1), written("Guten Tag zusammen.", 1, target="deu")], last=False)
        await until(lambda: len(found.texts) == 2, 5.0)
        found.said.change(None)
        found.said.hear([written("Ruhe.", 2, target="deu"), written("Silence.", 2)], last=False)
        await found.end()

    found = saying(script)
    check_order(found)
    assert found.texts == ["Hello.", "zusammen."]
    assert [message.target for message in found.audio if message.text is not UNSET] == ["eng", "deu"]
    assert found.speaker.asked == [("eng", ""), ("deu", "ben")]


@settings(max_examples=15, deadline=None)
@given(
    texts=st.lists(st.lists(st.sampled_from(["a,", "b.", "c", "mute", "d;", "unspeakable"]), max_size=5), max_size=4),
    away=st.booleans(),
)
def test_messages_are_in_order_whatever_is_written(texts, away):
    async def script(found: Saying) -> None:
        for segment, words in enumerate(texts):
            for count in range(len(words) + 1):
                event = written(" ".join(words[:count]), segment, final=count == len(words))
                found.said.hear([event], last=False)
                await asyncio.sleep(0.002)
            found.said.listened_to(there=not away)
        found.said.listened_to(there=True)
        await found.end()

    found = saying(script, least_words=1, carry_pauses=False)
    check_order(found)
    heard = [word.text for message in found.audio for word in message.words]
    if not any("unspeakable" in word for words in texts for word in words):
        spoken = [word for words in texts for word in words if word != "mute"]
        assert [word for word in heard if word != "mute"] == spoken


OPTIONS = StreamOptions(targets=("eng", "fra"), translation=TranslationOptions(append=True))


@pytest.mark.parametrize(
    ("wanted", "options", "code", "said"),
    [
        ({"target": "deu"}, OPTIONS, "bad_config", "deu is to be said, which is not among the targets: eng, fra"),
        ({"target": "fra"}, OPTIONS, "unknown_language", "no pronunciation is known"),
        ({"target": "klingonish"}, OPTIONS, "unknown_language", "klingonish"),
        ({"voice": "nobody"}, OPTIONS, "bad_config", "nobody"),
        ({"easy_ms": 3000}, OPTIONS, "bad_config", "late_s"),
        ({}, StreamOptions(targets=("eng",), translation=TranslationOptions()), "bad_config", "append"),
        ({}, StreamOptions(), "bad_config", "targets: none"),
    ],
)
def test_what_cannot_be_said_is_refused(wanted, options, code, said):
    telemetry = Telemetry()
    voice = ServerVoice(SpeakerOfSounds(), None, telemetry)
    start = wire.StartMessage(interpret=Interpreting(**{"target": "eng", **wanted}))
    with pytest.raises(Refused, match=said) as refused:
        check_interpreting(start, options, None, voice)
    assert refused.value.code == code


def test_a_server_without_a_voice_and_a_session_that_answers_say_no_translations():
    start = wire.StartMessage(interpret=Interpreting("eng"))
    with pytest.raises(Refused, match="--voice-model") as refused:
        check_interpreting(start, OPTIONS, None, None)
    assert refused.value.code == "no_voice"
    with pytest.raises(Refused, match="not both"):
        check_interpreting(wire.StartMessage(interpret=Interpreting("eng"), dialogue=Conversing()), OPTIONS, None, None)
    with pytest.raises(Refused, match="not both"):
        check_interpreting(wire.Update(interpret=Interpreting("eng")), OPTIONS, None, None, answers=True)
    check_interpreting(wire.StartMessage(interpret=None), StreamOptions(), None, None)
    check_interpreting(wire.StartMessage(), StreamOptions(), None, None)


def test_an_update_may_not_take_the_target_from_what_is_said():
    async def script(found: Saying) -> None:
        update, voice = wire.Update(), ServerVoice(found.speaker, None, found.telemetry)
        with pytest.raises(Refused, match="not among the targets"):
            check_interpreting(update, StreamOptions(targets=("fra",)), found.said, voice)
        check_interpreting(update, OPTIONS, found.said, voice)
        found.said.change(None)
        check_interpreting(update, StreamOptions(), found.said, voice)

    saying(script)
