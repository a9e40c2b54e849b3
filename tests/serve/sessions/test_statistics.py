"""How quick and how steady transcripts were, from the events as they are sent."""

import pytest

from serve.protocols.wire import Latency
from serve.sessions.statistics import SessionStatistics
from speech.events import EndpointEvent, TranscriptEvent
from speech.transcript import Word


def said(text: str, *, end_s: float = 1.0, final: bool = False) -> TranscriptEvent:
    words = tuple(Word(word, 0.0, 1.0, 0.5, "eng") for word in text.split())
    return TranscriptEvent(
        segment=0, revision=0, is_final=final, text=text, stable=0, words=words, start_s=0.0, end_s=end_s,
        audio_s=end_s, reason="silence" if final else None,
    )  # fmt: skip


def ended(speech_end_s: float) -> EndpointEvent:
    return EndpointEvent(at_s=speech_end_s, speech_end_s=speech_end_s, decided_s=speech_end_s + 0.5, reason="silence")


def test_nothing_said_has_no_latency():
    assert SessionStatistics().latency(0.0) == Latency(None, None, 0.0, 0.0)


def test_the_first_partial_counts_from_its_last_word_once():
    statistics = SessionStatistics()
    assert statistics.transcript(said(""), 0.5) == (None, None)
    assert statistics.transcript(said("a", end_s=1.0), 1.3) == (pytest.approx(0.3), None)
    assert statistics.transcript(said("a b", end_s=1.5), 2.5) == (None, None)
    assert statistics.latency(2.5).first_partial_ms == 300


def test_a_final_counts_from_the_end_of_speech_and_their_median_is_told():
    statistics = SessionStatistics()
    for end_s, delay_s in ((1.0, 0.2), (3.0, 0.4), (5.0, 0.9)):
        statistics.endpoint(ended(end_s))
        assert statistics.transcript(said("a b", final=True), end_s + delay_s)[1] == pytest.approx(delay_s)
    assert statistics.transcript(said("c", final=True), 9.0)[1] is None  # whose end nobody has seen
    assert (statistics.segments, statistics.words) == (4, 7)
    assert statistics.latency(9.0).final_p50_ms == 400


def test_words_that_are_taken_back_count_as_erased():
    statistics = SessionStatistics()
    for text in ("a", "a x", "a b", "a b y z"):
        statistics.transcript(said(text), 1.0)
    statistics.transcript(said("a b c", final=True), 2.0)
    assert statistics.latency(1.0).normalized_erasure == 1.0  # x, y and z, of three words
    statistics.transcript(said("d"), 3.0)  # a new segment takes nothing back
    assert statistics.latency(1.0).normalized_erasure == 1.0


def test_the_real_time_factor_is_work_over_audio():
    statistics = SessionStatistics()
    statistics.busy_s = 0.25
    assert statistics.latency(2.0).rtf == 0.125
