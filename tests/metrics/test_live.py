"""Scores while somebody speaks: the last one is the scorer's, those before it are by a rule that can be checked."""

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speech.errors import DataError
from speech.events import ScoreEvent
from speech.metrics import live
from speech.metrics.corpus import RATES
from speech.metrics.edit.alignment import count_errors
from speech.metrics.live import LiveScore
from speech.metrics.meaning.saer import saer
from speech.metrics.meaning.vectors import Vectors
from speech.metrics.utterance import Pairing, score_utterance

WORDS = st.sampled_from(
    ["a", "B,", "l’été", "coffee", "ok", "我", "你好。", "世", "ΑΣ", "'s", "x'", "3.5", "Σ", "-", "´"]
)
TEXTS = st.lists(WORDS, max_size=9).map(" ".join)
SESSIONS = st.lists(TEXTS, max_size=4)


class Letters:
    """An encoder that looks at first letters only."""

    name, languages = "letters", None

    def encode(self, texts: Any) -> np.ndarray:
        rows = np.array([[1.0 + text.count(letter) for letter in "abcx我"] for text in texts], np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class OnlyEnglish(Letters):
    languages = frozenset({"eng"})


def counts(event: ScoreEvent | None) -> dict[str, tuple[int, int]]:
    assert event is not None
    return dict(event.counts)


def offline(pairing: Pairing) -> dict[str, tuple[int, int]]:
    score = score_utterance(pairing)
    found = {name: (of(score).errors, of(score).reference_length) for name, of in RATES.items()}
    return found | {"language": (score.attributed.errors, score.attributed.words)}


def session(sentences: list[str], finals: list[str], **options: Any) -> tuple[list[ScoreEvent | None], ScoreEvent]:
    score = LiveScore(**options)
    for text in sentences:
        score.add_reference(text, languages=("cmn", "eng"))
    return [score.add_final(text) for text in finals], score.finish()


@given(sentences=SESSIONS.filter(bool), finals=SESSIONS)
def test_the_last_score_is_that_of_the_scorer(sentences, finals):
    _, last = session(sentences, finals, vectors=Vectors(Letters()))
    pairing = Pairing(" ".join(sentences), " ".join(finals), ("cmn", "eng"))
    assert last.counts == offline(pairing)
    result = saer([pairing], Vectors(Letters()))
    assert (last.saer, last.distance, last.encoder) == (result.saer, result.distance, "letters")
    if last.counts["mer"][1]:
        assert sum(errors for _, errors, _ in last.sentences) == last.counts["mer"][0]
        assert sum(count for _, _, count in last.sentences) == last.counts["mer"][1]


@given(sentences=SESSIONS.filter(bool), finals=SESSIONS)
def test_sentences_or_the_whole_make_no_difference(sentences, finals):
    scores = [session(parts, finals) for parts in (sentences, [" ".join(sentences)])]
    (so_far, last), (whole_so_far, whole) = scores
    assert last.counts == whole.counts
    assert [counts(event) for event in so_far] == [counts(event) for event in whole_so_far]


@given(
    sentences=SESSIONS.filter(bool),
    finals=SESSIONS.filter(bool),
    languages=st.sampled_from([("cmn", "eng"), ("cmn",), ("eng",), ()]),
)
def test_no_other_beginning_of_the_reference_has_fewer_errors(sentences, finals, languages):
    score = LiveScore()
    for text in sentences:
        score.add_reference(text, languages=languages)
    for number, text in enumerate(finals):
        event = score.add_final(text)
        pairing = score.pairing()
        whole = score_utterance(pairing).alignment
        tried = [count_errors(whole.reference[:n], whole.hypothesis).errors for n in range(len(whole.reference) + 1)]
        fewest = min(tried)
        assert event is not None
        assert event.counts["mer"] == (fewest, max(n for n, errors in enumerate(tried) if errors == fewest))
        said = score._reference.words(0, event.reference_units)
        so_far = Pairing(" ".join(said), " ".join(finals[: number + 1]), languages)
        assert event.counts == offline(so_far)


def test_scores_come_after_finals_as_soon_as_there_is_a_reference():
    score = LiveScore()
    assert score.add_final("good morning") is None
    score.add_reference("good morning")
    score.add_reference("how are you")
    event = score.add_final("how are", segment=1, at_s=2.5)
    assert event is not None
    assert (event.segment, event.at_s, event.is_final) == (1, 2.5, False)
    assert counts(event)["wer"] == (0, 4)
    assert (event.reference_units, event.reference_units_in_all) == (4, 5)
    assert event.sentences == ((0, 0, 2), (1, 0, 2))
    assert event.missing == "no encoder is set"
    last = score.finish(3.0)
    assert counts(last)["wer"] == (1, 5)
    assert last.sentences == ((0, 0, 2), (1, 1, 3))
    assert (last.is_final, last.segment) == (True, None)


def test_marked_words_of_any_sentence_are_the_points_of_interest():
    score = LiveScore()
    score.add_reference("我 要 coffee", languages=("cmn", "eng"))
    assert counts(score.add_final("我 要 tea"))["pier"] == (1, 1)
    score.add_reference("now please", (("now", None), ("please", None)), (1,))
    assert counts(score.add_final("now pleas"))["pier"] == (1, 1)  # `please`, and no longer `coffee`
    assert counts(score.finish()) == offline(score.pairing())
    assert score.pairing().points == (4,)


def test_languages_of_words_are_compared():
    score = LiveScore()
    score.add_reference("me gusta the office", (("me", "spa"), ("gusta", "spa"), ("the", "eng"), ("office", "eng")))
    event = score.add_final("me gusta the", (("me", "spa"), ("gusta", "eng"), ("the", "eng")))
    assert counts(event)["language"] == (1, 3)
    assert counts(score.finish()) == offline(score.pairing())
    assert counts(score.add_final("office", (("or", "eng"), ("fice", "eng"))))["language"] == (2, 4)  # unknown: wrong


def test_words_that_are_not_those_of_the_reference_are_refused():
    score = LiveScore()
    with pytest.raises(DataError, match="words are not those"):
        score.add_reference("a b", (("a", "eng"),))
    with pytest.raises(DataError, match="words are not those"):
        score.add_reference("a b", (("", None),))
    assert score.units == 0
    assert score.add_final("a b") is None


def test_an_encoder_that_does_not_know_the_language_says_so():
    _, last = session(["ein Hund"], ["ein und"], vectors=Vectors(OnlyEnglish()))
    assert last.saer is None
    assert last.missing is not None
    assert "does not know cmn" in last.missing


def test_a_text_that_is_too_long_has_no_vector(monkeypatch):
    monkeypatch.setattr(live, "SAER_LETTERS", 5)
    so_far, last = session(["a b c d"], ["a", "b c x"], vectors=Vectors(Letters()))
    assert [None if one is None else one.saer is None for one in so_far] == [False, True]
    assert last.saer is not None
    score = LiveScore(Vectors(Letters()))
    score.add_reference("a")
    event = score.add_final("b", meaning=False)
    assert event is not None
    assert (event.saer, event.missing) == (None, "more has been said")


@settings(max_examples=6)
@given(seed=st.integers(0, 1000), mixed=st.booleans())
def test_long_sessions_are_settled_and_differ_little(seed, mixed):
    rng = random.Random(seed)
    vocabulary = [f"w{n}" for n in range(300)] + [chr(0x4E00 + n) for n in range(100 * mixed)]
    said = [rng.choice(vocabulary) for _ in range(1500)]
    heard = [
        w for word in said for w in ([], [rng.choice(vocabulary)], [word, "w1"], *[[word]] * 12)[rng.randrange(15)]
    ]
    score = LiveScore()
    for n in range(0, len(said), 12):
        score.add_reference(" ".join(said[n : n + 12]), languages=("eng", "cmn"))
    for n in range(0, len(heard), 15):
        event = score.add_final(" ".join(heard[n : n + 15]))
        assert event is not None
        assert len(event.sentences) < 100
        assert len(score._heard.units) - score._settled.heard <= live.WINDOW + 15
    last = counts(score.finish())
    assert last == offline(score.pairing())
    assert event is not None
    for name, (errors, length) in event.counts.items():
        assert errors == pytest.approx(last[name][0], rel=0.05, abs=3)
        assert length == pytest.approx(last[name][1], rel=0.01, abs=3)


def test_speech_that_has_nothing_to_do_with_the_reference_stays_within_bounds():
    score = LiveScore()
    score.add_reference(" ".join(f"r{n}" for n in range(3000)))
    for n in range(120):
        score.add_final(" ".join(f"h{n}x{m}" for m in range(25)))
        assert len(score._heard.units) - score._settled.heard <= live.MOST + 25
    assert counts(score.finish())["wer"] == (3000, 3000)
