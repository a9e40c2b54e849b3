"""Sessions on a virtual clock: what has been received, and what has been computed."""

import numpy as np
import pytest

from speech.data.stream_events import StreamedText
from speech.errors import DataError
from speech.events import SpeechEvent, TranslationEvent
from speech.stream.options import StreamOptions
from speech.stream.virtual_clock import run_session
from speech.transcript import Word


def translation(text, *, segment=0, final=False, target="eng", audio_s=0.05):
    words = tuple(Word(word, 0.0, 0.1, 1.0, target) for word in text.split())
    return TranslationEvent(
        segment=segment, target=target, is_final=final, text=text, stable=0, words=words, start_s=0.0, end_s=0.1,
        audio_s=audio_s,
    )  # fmt: skip


class Scripted:
    """An engine and its session: the events of each message, and the seconds that it takes."""

    def __init__(self, *messages):
        self._messages, self.now, self.sizes, self.finished, self.options = [*messages], 0.0, [], False, None

    def open(self, options):
        self.options = options
        return self

    def accept(self, samples):
        self.sizes.append(len(samples))
        seconds, *events = self._messages.pop(0)
        self.now += seconds
        return events

    def finish(self):
        self.finished = True
        return self.accept(np.zeros(0))

    def timer(self):
        return self.now


def run(samples, *messages):
    engine = Scripted(*messages)
    options = StreamOptions(targets=("eng",))
    found = run_session(engine, np.zeros(samples, np.float32), options, engine.timer)
    assert engine.options is options
    assert engine.finished
    return engine, found


def test_audio_comes_in_messages_and_the_end_with_the_last():
    engine, found = run(4000, (0, translation("a")), (0,), (0,), (0, translation("a b", final=True)))
    assert engine.sizes == [1600, 1600, 800, 0]
    assert [(one.event.text, one.received_s) for one in found.events] == [("a", 0.1), ("a b", 0.25)]
    assert found.duration_s == 0.25
    assert run(3200, (0,), (0,), (0,))[0].sizes == [1600, 1600, 0]
    assert run(0, (0,), (0,))[0].sizes == [0, 0]


def test_the_clock_waits_for_the_computation_and_audio_that_came_meanwhile_waits_too():
    _, found = run(
        4800, (0.25, translation("a")), (0.01, translation("a b")), (0.0,), (0.04, translation("a b c", final=True))
    )
    assert [one.clock_s for one in found.events] == pytest.approx([0.35, 0.36, 0.40])
    assert found.computed_s == pytest.approx(0.30)


def test_a_word_has_the_time_since_which_it_stands():
    _, found = run(
        4800,
        (0.05, translation("good mourning"), SpeechEvent(started=True, at_s=0.0)),
        (0.0, translation("good morning", final=True)),
        (0.0, translation("again", segment=1)),
        (0.2, translation("again", segment=1, final=True)),
    )
    heard = found.translation()
    assert (heard.text, heard.words, heard.duration_s) == ("good morning again", ("good", "morning", "again"), 0.3)
    assert heard.emitted_s == pytest.approx((0.1, 0.2, 0.3))
    assert found.translation(computation_aware=True).emitted_s == pytest.approx((0.15, 0.2, 0.5))


def test_silence_has_an_empty_translation():
    assert run(1600, (0, SpeechEvent(started=True, at_s=0.0)), (0,))[1].translation() == StreamedText("", (), (), 0.1)


def test_translations_into_two_languages_are_no_one_text():
    _, found = run(1600, (0, translation("a"), translation("b", target="deu")), (0,))
    with pytest.raises(DataError, match="translations into deu, eng"):
        found.translation()
