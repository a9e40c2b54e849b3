"""The benchmark of speech output: texts are compared as spoken, and figures mean what they say."""

from __future__ import annotations

import numpy as np
import pytest
from speech_output import SENTENCES, Said, figures, spoken

from speech.speaker import Speaker
from speech.tts.pronunciation.espeak import VOICES
from speech.tts.speech_stream import SpeakingOptions
from speech.tts.text_front_end.spoken_text import spoken_text
from tests.tts.counting import CountingSynthesizer, LetterPronouncer


def said(seconds: float, first_s: float, took_s: float) -> Said:
    return Said(np.zeros(round(seconds * 1000), np.float32), 1000, first_s, took_s)


def test_figures():
    row = figures(
        "model", "eng", ["It costs $5.", "Hello there!"], [said(2, 0.1, 1), said(2, 0.3, 1)],
        ["it costs five dollars", "Hello bear"],
    )  # fmt: skip
    assert (row["wer"], row["words"], row["rtf"], row["seconds"]) == (round(1 / 6, 4), 6, 0.5, 4.0)
    assert (row["first_p50_ms"], row["first_p95_ms"]) == (300, 300)
    assert row["texts"][1] == {"said": "Hello there!", "heard": "Hello bear"}


def test_a_text_is_timed_to_its_first_packet():
    speaker = Speaker(CountingSynthesizer(), LetterPronouncer())
    one = spoken(speaker, "Hello. There.", SpeakingOptions(language="eng"))
    assert 0 < one.first_s <= one.seconds
    assert len(one.samples) == len(speaker.say("Hello. There.", SpeakingOptions(language="eng")).samples)


@pytest.mark.parametrize("code", ["eng", "spa", "fra", "ita", "por", "deu"])
def test_sentences_can_be_said_in_each_language(code):
    texts = (SENTENCES / f"{code}.txt").read_text("utf-8").splitlines()
    assert len(texts) == 50
    assert code in VOICES
    for text in texts:
        assert not any(sign.isdigit() for sign in spoken_text(text, code))
