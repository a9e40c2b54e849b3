"""A text that is pushed: any pieces, flushes in between, and places in the whole text."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from speech.tts.speech_stream import SpeakingOptions, SpeechPacket, SpeechStream
from tests.tts.counting import CountingSynthesizer, LetterPronouncer

TEXT = "It costs $5. Is it much? No.\n\nA last one, and so on"


def opened() -> SpeechStream:
    return SpeechStream(CountingSynthesizer(), LetterPronouncer(), "low", SpeakingOptions(language="eng"))


def joined(packets: list[SpeechPacket]) -> tuple[list[float], list[str], list[str]]:
    words = [word for packet in packets for word in packet.words]
    samples = np.concatenate([np.zeros(0, np.float32), *(packet.samples for packet in packets)]).tolist()
    return samples, [word.text for word in words], [TEXT[word.source_start : word.source_end] for word in words]


@given(st.lists(st.integers(0, len(TEXT)), max_size=12))
def test_any_pieces_say_the_same(cuts):
    text, packets = opened(), []
    for start, end in pairwise([0, *sorted(cuts), len(TEXT)]):
        packets += text.feed(TEXT[start:end])
    packets += text.flush()
    whole = opened()
    assert joined(packets) == joined([*whole.feed(TEXT), *whole.flush()])
    assert text.seconds == whole.seconds == len(joined(packets)[0]) / 8000


def test_what_is_flushed_is_said_at_once_and_places_count_on():
    text = opened()
    assert not list(text.feed("It costs "))
    first = list(text.flush())
    rest = [*text.feed("$5. Is it much? No.\n\n"), *text.feed("A last one, and so on"), *text.flush()]
    _, words, sources = joined(first)
    assert words == sources == ["It", "costs"]
    _, words, sources = joined(rest)
    assert words[:2] == ["five", "dollars"]
    assert sources[:3] == ["$5", "$5", "Is"]
    assert sources[-1] == "on"
    starts = [word.start_s for packet in [*first, *rest] for word in packet.words]
    assert starts == sorted(starts)


def test_there_is_nothing_behind_the_last_words_without_markup():
    text = opened()
    list(text.feed("One.\n\n"))
    assert not list(text.end())
