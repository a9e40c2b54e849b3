"""Simultaneous translation: a reader with drafts of its own, and the embedded model."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speech import Recognizer
from speech.audio import SAMPLE_RATE
from speech.audio.input.files import load_audio
from speech.choices import Live
from speech.data.manifest import read_manifest
from speech.decode.endpoint import EndpointConfig
from speech.errors import ConfigError
from speech.events import Event, TranslationEvent
from speech.models.whisper import Whisper
from speech.recognize.label_only import LabelReader
from speech.recognize.parts import Part
from speech.recognize.request import Request
from speech.recognize.result import PartResult
from speech.recognize.toxicity_guard import ToxicityGuard
from speech.stream.engine import Engine
from speech.stream.options import StreamOptions, TranslationOptions
from speech.stream.translation import LiveTranslation
from speech.transcript import Toxicity, Word
from speech.translate.align_att import AlignAtt
from speech.translate.emma import Emma
from speech.translate.hold_n import HoldN
from speech.translate.local_agreement import LocalAgreement
from speech.translate.policy import TranslationDraft
from speech.translate.toxicity import ToxicWords
from speech.translate.wait_k import WaitK
from tests.conftest import CLIPS
from tests.tiny_hybrid import latin_whisper
from tests.tiny_whisper import tiny_label_tokenizer

POLICIES = [AlignAtt(margin_s=0.4), LocalAgreement(), HoldN(n=2), WaitK(k=1)]


class Drafting:
    """Reads parts at random: drafts change their minds as models do. What it says depends on the audio's length and on
    what has been written alone."""

    grid, longest_s, live, context_tokens, adapters = 640, None, Live.parts, 0, None
    languages = known = ("fra",)
    into = drafts_into = ("eng",)
    drafts = None

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def check(self, request: Request) -> object:
        return None

    def following(self, part: Part, result: PartResult) -> None:
        return None

    def hurries(self, request: Request) -> bool:
        return False

    def language(self, evidence: object, frames: int, request: Request) -> tuple[str, float]:
        return "fra", 1.0

    def words(self, result: PartResult, request: Request) -> list[Word]:
        return [Word("word", result.end_s, result.end_s, 1.0, request.to or "fra")]

    def read(self, parts: Sequence[Part], requests: Sequence[Request]) -> list[PartResult]:
        return [self._read(part, request) for part, request in zip(parts, requests, strict=True)]

    def _read(self, part: Part, request: Request) -> PartResult:
        end_s = part.end_sample / SAMPLE_RATE
        if not (request.draft or (request.to and part.translated)):
            return PartResult([], None, 0, end_s)
        random = np.random.default_rng([self._seed, len(part.samples), *part.translated])
        tokens = tuple(random.integers(0, 4, random.integers(0, 9)).tolist())
        pieces = tuple(random.choice([b" a", b"b", b" c"], len(tokens)).tolist())
        attended = tuple(random.uniform(0, len(part.samples) / SAMPLE_RATE, len(tokens)).tolist())
        draft = TranslationDraft(
            len(part.samples) / SAMPLE_RATE, tokens, pieces, bool(random.integers(2)), attended, (1.0,) * len(tokens),
            written=part.translated, written_words=len(part.translated),
        )  # fmt: skip
        return PartResult([], None, 0, end_s, draft=draft)


class Loudness:
    """A voice detector that takes sound for speech."""

    def init_state(self) -> None:
        return None

    def steps(self, frames: np.ndarray, state: None) -> tuple[np.ndarray, None]:
        return np.where(np.abs(frames).max(axis=1, initial=0.0) > 0.1, 0.9, 0.01), state

    def step(self, frame: np.ndarray, state: None) -> tuple[float, None]:
        return float(self.steps(frame[None], state)[0][0]), state


def engine_of(seed: int) -> Engine:
    engine = Engine(Drafting(seed))
    engine.vad = Loudness()
    return engine


SOUND, GAP = np.ones(16_000, np.float32), np.zeros(11_200, np.float32)
TALK = np.concatenate([SOUND, SOUND, GAP, SOUND[:5000], GAP, *[SOUND] * 6, SOUND[:3000], GAP])
"""Parts that end in pauses, and one that is cut because it is too long."""


def play(engine: Engine, audio: np.ndarray, sizes: Sequence[int], options: StreamOptions) -> list[Event]:
    session, events, start = engine.open(options), list[Event](), 0
    for size in sizes:
        events += session.accept(audio[start : start + size])
        start += size
    return [*events, *session.accept(audio[start:]), *session.finish()]


def translations(events: Sequence[Event]) -> list[TranslationEvent]:
    return [event for event in events if isinstance(event, TranslationEvent)]


def simultaneous(**options) -> StreamOptions:
    long = EndpointConfig(soft_s=3.0, max_s=4.0)
    return StreamOptions(targets=("eng",), endpoint=long, translation=TranslationOptions(**options))


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    policy=st.sampled_from(POLICIES),
    append=st.booleans(),
    late_s=st.sampled_from([None, 0.0, 0.5]),
)
def test_what_is_stable_is_never_taken_back(seed, policy, append, late_s):
    options = simultaneous(policy=policy, append=append, first_s=0.5, step_s=0.32)
    events = translations(play(engine_of(seed), TALK, [], replace(options, late_draft_s=late_s)))
    assert events
    for before, after in pairwise(events):
        assert after.segment in (before.segment, before.segment + 1)
        if after.segment == before.segment:
            assert not before.is_final
            assert after.words[: before.stable] == before.words[: before.stable]
            assert after.stable >= before.stable
        else:
            assert before.is_final
        if append:
            assert after.stable == len(after.words)
    assert events[-1].is_final


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 50), sizes=st.lists(st.integers(1, 40_000), max_size=12), append=st.booleans())
def test_the_text_does_not_depend_on_the_pieces(seed, sizes, append):
    options = simultaneous(append=append, first_s=0.5, step_s=0.32)
    whole = translations(play(engine_of(seed), TALK, [], options))
    assert translations(play(engine_of(seed), TALK, sizes, options)) == whole


def test_drafts_that_come_too_late_are_left_out_and_counted():
    """All audio comes at once, or piece by piece."""
    options = replace(simultaneous(policy=HoldN(n=0), first_s=0.5, step_s=0.32), late_draft_s=0.5)
    late = translations(play(engine_of(3), TALK, [], options))
    counts = [event.skipped for event in late]
    assert counts == sorted(counts)
    assert counts[-1] > 3
    assert late[-1].to_dict()["skipped"] == counts[-1]
    in_time = translations(play(engine_of(3), TALK, [5_000] * 40, options))
    assert len(in_time) > len(late)
    assert {event.skipped for event in in_time} == {0}
    assert "skipped" not in in_time[-1].to_dict()
    assert [event.is_final for event in late].count(True) == [event.is_final for event in in_time].count(True)


@given(received=st.integers(0, 10**6), size=st.integers(0, 50_000))
def test_pieces_end_where_drafts_are_due(received, size):
    translation = LiveTranslation(Drafting(0), simultaneous(step_s=0.5))
    pieces = list(translation.pieces(np.arange(size, dtype=np.float32), received))
    assert np.array_equal(np.concatenate([np.empty(0, np.float32), *pieces]), np.arange(size, dtype=np.float32))
    assert all(len(piece) for piece in pieces)
    ends = received + np.cumsum([len(piece) for piece in pieces], dtype=int)
    assert all(end % 8000 == 0 for end in ends[:-1])
    assert all(len(piece) <= 8000 for piece in pieces)


def test_a_policy_for_targets_that_are_not_drafted_is_refused():
    options = StreamOptions(targets=("spa",), translation=TranslationOptions())
    with pytest.raises(ConfigError, match="simultaneously into eng"):
        LiveTranslation(Drafting(0), options)


@pytest.mark.parametrize("wrong", [{"step_s": 0.05}, {"step_s": 11.0}, {"first_s": -1.0}])
def test_intervals_out_of_range_are_refused(wrong):
    with pytest.raises(ConfigError, match="step_s is"):
        TranslationOptions(**wrong)


def test_nothing_is_drafted_before_there_is_enough_speech():
    events = translations(play(engine_of(1), TALK, [], simultaneous(policy=HoldN(n=0), first_s=60.0)))
    assert all(event.is_final or event.stable for event in events)
    assert all(event.stable == len(event.words) for event in events)


@pytest.fixture(scope="module")
def french() -> np.ndarray:
    clips = {clip.id: clip for clip in read_manifest(CLIPS, check_files=True)}
    return load_audio(clips["ast_fr_priv-callpending"].audio)


def test_the_model_writes_before_the_part_is_complete_and_ends_as_the_file_does(recognizer: Recognizer, french):
    whole = recognizer.transcribe(french, language="fra", to="eng").text
    options = StreamOptions(
        languages=("fra",), targets=("eng",), translation=TranslationOptions(policy=AlignAtt(margin_s=0.3), first_s=1.0)
    )
    events = translations(play(recognizer.engine(), french, [5000] * 9, options))
    early = [event for event in events if not event.is_final]
    assert early
    assert early[0].audio_s < len(french) / SAMPLE_RATE
    assert all(event.stable == 0 for event in early)
    assert " ".join(event.text for event in events if event.is_final) == whole


def test_the_model_only_appends_where_that_is_asked(recognizer: Recognizer, french):
    rules = TranslationOptions(policy=AlignAtt(margin_s=0.3), first_s=1.0, append=True)
    options = StreamOptions(languages=("fra",), targets=("eng",), translation=rules)
    events = translations(play(recognizer.engine(), french, [5000] * 9, options))
    for before, after in pairwise(events):
        if after.segment == before.segment:
            assert after.text.startswith(before.text)
    assert all(event.stable == len(event.words) for event in events)
    assert len({event.text for event in events}) > 1


def test_a_policy_that_has_to_be_trained_is_refused_before_there_is_a_session():
    with pytest.raises(ConfigError, match=r"emma: this model has no trained policy\. Train one"):
        engine_of(0).open(simultaneous(policy=Emma()))


# Under a guard against toxic words


@pytest.fixture(scope="module")
def whisper() -> Whisper:
    return latin_whisper()


def talk_of(seed: int) -> np.ndarray:
    """Two parts of noise."""
    talk = np.concatenate([SOUND, SOUND[:9000], GAP, SOUND, GAP])
    return talk * np.random.default_rng(seed).uniform(-0.5, 0.5, len(talk)).astype(np.float32)


def from_german(**options) -> StreamOptions:
    return replace(simultaneous(first_s=0.5, step_s=0.64, **options), languages=("deu",))


def guarded_engine(whisper: Whisper, *words: str) -> Engine:
    tokenizer = tiny_label_tokenizer()
    guard = ToxicityGuard(ToxicWords({"eng": words}), tokenizer) if words else None
    engine = Engine(LabelReader(whisper, tokenizer, beam=2, guard=guard))
    engine.vad = Loudness()
    return engine


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10_000), policy=st.sampled_from(POLICIES), append=st.booleans(), data=st.data())
def test_no_listed_word_is_drafted_and_nothing_stable_is_taken_back_under_a_guard(whisper, seed, policy, append, data):
    options = from_german(policy=policy, append=append)
    usual = translations(play(guarded_engine(whisper), talk_of(seed), [], options))
    entry = data.draw(st.sampled_from([word.text for word in usual[-1].words if word.text.strip(".,")]))
    lists = ToxicWords({"eng": [entry]})
    events = translations(play(guarded_engine(whisper, entry), talk_of(seed), [], options))
    for before, after in pairwise(events):
        assert before.segment != after.segment or after.words[: before.stable] == before.words[: before.stable]
    for event in events:
        given_up = event.toxicity is not None and not event.toxicity.removed
        assert given_up or not lists.matches(event.text, "eng")
    assert any(event.toxicity is not None and entry in event.toxicity.found for event in events)


@pytest.mark.parametrize("append", [True, False])
def test_what_was_kept_out_of_drafts_is_reported_and_the_final_of_a_part_is_that_of_a_file(whisper, append):
    options = from_german(policy=HoldN(n=1), append=append)
    usual = translations(play(guarded_engine(whisper), talk_of(3), [], options))
    entry = next(word.text for word in usual[0].words if word.text.strip(".,"))
    engine = guarded_engine(whisper, entry)
    events = translations(play(engine, talk_of(3), [], options))
    assert any(event.toxicity == Toxicity((entry,), removed=True) for event in events if not event.is_final)
    complete = translations(play(engine, talk_of(3), [], replace(options, translation=None)))
    if not append:
        finals = [event for event in events if event.is_final]
        assert [(e.text, e.toxicity) for e in finals] == [(e.text, e.toxicity) for e in complete if e.is_final]
