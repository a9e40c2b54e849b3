"""Live sessions of the embedded model: the contract of their events, and finals that equal files."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from speech import Recognizer, SpeechError
from speech.audio.vad import Vad
from speech.decode.ctc.beam import BeamDecoder
from speech.decode.endpoint import EndpointConfig
from speech.errors import LanguageError
from speech.events import EndpointEvent, Event, LanguageEvent, SpeechEvent, TranscriptEvent, TranslationEvent
from speech.stream.engine import Engine, LiveStream
from speech.stream.options import StreamOptions
from speech.transcript import join

GAP = np.zeros(9600, np.float32)


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return Recognizer.from_pretrained()


@pytest.fixture(scope="module")
def engine(recognizer) -> Engine:
    return recognizer.engine()


@pytest.fixture(scope="module")
def audio(speech) -> np.ndarray:
    """English and French with pauses."""
    return np.concatenate([speech, GAP])


@pytest.fixture(scope="module")
def text(recognizer, audio) -> str:
    return recognizer.transcribe(audio).text


def play(session: LiveStream, audio: np.ndarray, sizes: list[int]) -> list[Event]:
    events, start = [], 0
    for size in sizes:
        events += session.accept(audio[start : start + size])
        start += size
    return events + session.accept(audio[start:]) + session.finish()


def transcripts(events: list[Event]) -> list[TranscriptEvent]:
    return [event for event in events if isinstance(event, TranscriptEvent)]


def finals(events: list[Event]) -> str:
    return join([word for event in transcripts(events) if event.is_final for word in event.words])


def check_contract(events: list[Event]) -> None:
    """Stable words stay; one final for each segment; segments follow each other."""
    last: TranscriptEvent | None = None
    ended_s = 0.0
    for event in transcripts(events):
        if last is None or last.is_final:
            assert event.revision == 0
            assert event.segment == (last.segment + 1 if last else 0)
        else:
            assert (event.segment, event.revision) == (last.segment, last.revision + 1)
            assert event.stable >= last.stable
            assert event.words[: last.stable] == last.words[: last.stable]
        assert event.text == join(event.words)
        assert 0 <= event.stable <= len(event.words)
        starts = [word.start_s for word in event.words]
        assert starts == sorted(starts)
        if event.is_final:
            assert event.stable == len(event.words)
            assert event.start_s >= ended_s - 1e-6
            ended_s = event.end_s
        last = event
    assert last is None or last.is_final


@settings(max_examples=12, deadline=None)
@given(sizes=st.lists(st.one_of(st.integers(1, 400), st.integers(800, 8000), st.integers(1, 160_000)), max_size=20))
def test_finals_equal_the_file_whatever_the_pieces(engine, audio, text, sizes):
    events = play(engine.open(), audio, sizes)
    check_contract(events)
    assert finals(events) == text


def test_pieces_of_a_tenth_of_a_second_show_partials_before_finals(engine, audio, text):
    events = play(engine.open(), audio, [1600] * (len(audio) // 1600))
    check_contract(events)
    assert finals(events) == text
    shown = transcripts(events)
    assert sum(not event.is_final for event in shown) > 3 * sum(event.is_final for event in shown)
    partial = next(event for event in shown if not event.is_final)
    assert all(0 < word.confidence <= 1 for word in partial.words)
    kinds = [event.type for event in events if isinstance(event, SpeechEvent)]
    assert kinds[:2] == ["speech_started", "speech_ended"]
    assert all(a != b for a, b in pairwise(kinds))
    endpoints = [event for event in events if isinstance(event, EndpointEvent)]
    assert endpoints
    assert all(event.decided_s - event.speech_end_s <= 0.55 for event in endpoints)


def test_a_partial_ends_before_the_edge_of_what_has_been_heard(engine, audio):
    shown = [e for e in transcripts(play(engine.open(), audio, [1600] * (len(audio) // 1600))) if not e.is_final]
    assert shown
    assert all(event.words[-1].end_s < event.audio_s for event in shown if event.words)


def test_sessions_in_one_engine_do_not_hear_each_other(engine, audio):
    clips = [audio, audio[16_000:].copy(), np.flip(audio).copy(), GAP]
    alone = [finals(play(engine.open(), clip, [])) for clip in clips]
    sessions = [engine.open() for _ in clips]
    for start in range(0, len(audio), 4800):
        for number, (session, clip) in enumerate(zip(sessions, clips, strict=True)):
            session.push(clip[start : start + 4800])
            if start % (number + 1) == 0:
                engine.run(sessions)
    for session in sessions:
        session.push_finish()
    engine.run(sessions)
    assert [finals(session.drain()) for session in sessions] == alone
    assert all(session.ended for session in sessions)


def test_long_speech_without_pauses_freezes_words_before_its_end(engine, audio):
    rules = EndpointConfig(silence_s=2.0, soft_s=2.0, soft_silence_s=2.0, idle_s=4.0, max_s=3.0)
    events = play(engine.open(StreamOptions(endpoint=rules, max_segment_s=60.0)), audio, [1600] * 200)
    check_contract(events)
    grown = [event for event in transcripts(events) if not event.is_final and event.stable > 0]
    assert grown
    assert any(event.stable < len(event.words) for event in grown)


def test_flush_gives_finals_and_the_stream_goes_on(engine, audio):
    session = engine.open()
    first = session.accept(audio[:30_000])
    flushed = session.flush()
    assert any(event.is_final for event in transcripts(flushed))
    rest = session.accept(audio[30_000:]) + session.finish()
    check_contract(first + flushed + rest)


def test_silence_says_nothing(engine):
    assert not transcripts(play(engine.open(), np.zeros(16_000 * 30, np.float32), [5000] * 90))


def test_a_stream_without_samples_says_nothing(engine):
    assert engine.open().finish() == []


def test_languages_are_named_when_they_are_clear(engine, audio):
    events = play(engine.open(), audio, [1600] * 200)
    named = [event.language for event in events if isinstance(event, LanguageEvent)]
    assert named[0] == "eng"
    assert len(named) > 1
    only = play(engine.open(StreamOptions(languages=("deu", "spa"))), audio, [1600] * 200)
    spoken = {word.language for event in transcripts(only) for word in event.words} - {None}
    assert spoken <= {"deu", "spa"}


def test_translations_come_with_the_finals(audio):
    engine = Recognizer.from_pretrained(measured_targets=False).engine()
    events = play(engine.open(StreamOptions(targets=("eng", "fra"))), audio[:60_000], [3200] * 20)
    last = [event for event in events if isinstance(event, TranslationEvent) and event.is_final]
    assert {event.target for event in last} == {"eng", "fra"}
    check_contract(events)


def test_a_target_that_the_model_does_not_have_is_refused(engine):
    with pytest.raises(LanguageError, match="does not translate into French"):
        engine.open(StreamOptions(targets=("fra",)))
    session = engine.open()
    with pytest.raises(LanguageError, match="does not translate into French"):
        session.update(StreamOptions(targets=("fra",)))


def test_options_change_in_the_middle_or_not_at_all(engine, audio):
    session = engine.open()
    before = session.accept(audio[:40_000])
    with pytest.raises(LanguageError):
        session.update(StreamOptions(languages=("xho",)))
    assert session.options == StreamOptions()
    assert session.update(StreamOptions(languages=("fra",), interim=False)) <= 2.5
    after = session.accept(audio[40_000:]) + session.finish()
    assert all(event.is_final for event in transcripts(after))
    assert {word.language for event in transcripts(after) for word in event.words} == {"fra"}
    assert before


def test_a_stream_that_has_ended_takes_no_more(engine):
    session = engine.open()
    session.finish()
    with pytest.raises(SpeechError, match="ended"):
        session.accept(GAP)


class HearsSpeechEverywhere(Vad):
    """As in loud music: the voice detector never falls silent."""

    def steps(self, frames, state):
        return np.full(len(frames), 0.9), super().steps(frames, state)[1]


def test_where_the_detector_never_falls_silent_a_segment_can_end_by_its_words(recognizer, speech):
    engine = recognizer.engine()
    engine.vad = HearsSpeechEverywhere()
    noise = np.random.default_rng(0).normal(0, 1e-3, 8 * 16_000).astype(np.float32)
    audio = np.concatenate([speech[: 4 * 16_000], noise])
    found = {}
    for blank_s in (None, 1.0):
        options = StreamOptions(endpoint=EndpointConfig(blank_s=blank_s))
        found[blank_s] = play(engine.open(options), audio, [1600] * (len(audio) // 1600))
        check_contract(found[blank_s])
    assert transcripts(found[None])[-1].audio_s == 12.0  # all in one segment
    first = next(event for event in found[1.0] if isinstance(event, EndpointEvent))
    assert first.reason == "blanks"
    assert first.speech_end_s < 4.5
    assert first.decided_s < 7.0
    assert finals(found[1.0])


def test_partial_results_cost_the_same_however_long_somebody_speaks(recognizer, engine):
    """What a stream keeps for them is that of the part under way."""
    model, vocabulary = recognizer.model, recognizer.tokenizer.vocabulary
    part = round(16 / model.frame_s)
    prefix = vocabulary.nolang, vocabulary.task_id("asr")
    generator = torch.Generator().manual_seed(0)
    log_probs = torch.log_softmax(4 * torch.randn(200, len(vocabulary), generator=generator), dim=-1)
    for searches, seconds in ((None, 400), (BeamDecoder(beam=1, top_k=1).search, 100)):
        stream = engine.first_pass.begin(prefix, 0, frozenset(), searches)
        for begin in range(0, round(seconds / model.frame_s), len(log_probs)):
            stream.advance(0, stream.state, stream.read(log_probs))
            first = begin // part * part
            spans = stream.spans(first, ())
            assert len(stream._runs._said) <= part + len(log_probs)
            assert sum(len(tried) for _, tried in stream._tried) <= part + 2 * len(log_probs)
            assert all(span.start_frame >= first for span in spans)
        assert spans
        assert stream.heard_s == pytest.approx(seconds, abs=200 * model.frame_s)
