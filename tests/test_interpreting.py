"""Speech-to-speech translation of a recording on a virtual clock."""

import numpy as np
import pytest

from speech.errors import ConfigError
from speech.interpreting import InterpretRequest, interpret
from speech.speaker import Speaker
from tests.interpret.written import translation
from tests.tts.counting import CountingSynthesizer, LetterPronouncer


class Scripted:
    """An engine and its session: events by the message with which they come; those behind the last come at the end."""

    def __init__(self, events):
        self._events, self.messages, self.options = events, 0, None

    def open(self, options):
        self.options = options
        return self

    def accept(self, samples):
        assert 0 < len(samples) <= 1600
        self.messages += 1
        return self._events.get(self.messages, [])

    def finish(self):
        return self._events.get("end", [])


def interpreted(events, seconds=4.0, **options):
    speaker = Speaker(CountingSynthesizer(), LetterPronouncer())
    engine, heard = Scripted(events), []
    request = InterpretRequest(to="eng", languages=("fra",), **options)
    found = interpret(engine, speaker, np.zeros(round(seconds * 16000), np.float32), request, heard.append)
    assert heard[-1] == seconds
    return engine, found


def test_a_translation_is_heard_when_it_has_been_written():
    engine, found = interpreted(
        {5: [translation("good day.")], 20: [translation("good day. so long.")], "end": [translation("bye", segment=1)]}
    )
    assert engine.options.targets == ("eng",)
    assert engine.options.languages == ("fra",)
    assert found.text == "good day. so long. bye"
    assert [one.start_s for one in found.utterances] == pytest.approx([0.5, 2.0, 4.0], abs=1e-6)
    for one in found.utterances:
        assert [word.text for word in one.words] == one.utterance.text.replace(".", "").split()
        assert one.start_s - 1e-6 <= one.words[0].start_s < one.words[-1].end_s <= one.end_s + 1e-6
        own = found.samples[round(one.start_s * 8000) : round(one.end_s * 8000)]
        assert np.abs(own).max() > 0.1
    assert not found.samples[:3900].any()
    assert len(found.samples) == round(found.utterances[-1].end_s * 8000)


def test_words_that_wait_are_said_when_patience_ends():
    _, found = interpreted({5: [translation("a b c d e f")], 30: [translation("a b c d e f g.", final=True)]})
    first, second = found.utterances
    assert (first.utterance.text, second.utterance.text) == ("a b c d e", "f g.")
    assert first.start_s == pytest.approx(2.5)  # .5 s, and the patience of 2 s


def test_the_same_recording_is_said_alike():
    events = {5: [translation("good day. so long, my friend, and so on.", final=True)]}
    one, other = interpreted(events)[1], interpreted(events)[1]
    assert one.samples.tolist() == other.samples.tolist()


def test_a_text_that_cannot_be_said_is_told_and_the_rest_is_said():
    _, found = interpreted({5: [translation("good day. 天地人. so long.", final=True)]})
    assert found.text == "good day. so long."
    ((text, why),) = found.unsaid
    assert text == "天地人."
    assert "天" in why


def test_computation_may_take_time():
    _, found = interpreted({5: [translation("good day.", final=True)]}, computation_aware=True)
    assert found.utterances[0].start_s >= 0.5


def test_a_voice_that_there_is_not_is_refused_before_anything_is_heard():
    with pytest.raises(ConfigError, match="nobody"):
        interpreted({}, voice="nobody")
