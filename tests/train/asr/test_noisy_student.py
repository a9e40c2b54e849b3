"""A teacher's transcripts are believed where it is sure, and only there."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.data.manifest import Utterance
from speech.errors import ConfigError
from speech.train.asr.noisy_student import Lesson, Sureness, confidence, teach
from speech.transcript import Transcript, Word


def heard(text: str, *confidences: float) -> Transcript:
    words = tuple(
        Word(text=word, start_s=0.0, end_s=0.1, confidence=value, language="lad")
        for word, value in zip(text.split(), confidences, strict=True)
    )
    return Transcript(text=text, language="lad", language_probability=1.0, task="asr", duration_s=1.0, words=words)


def said(number: int, text: str, language: str = "lad") -> Utterance:
    return Utterance(
        id=str(number), audio=Path(f"/{number}.ogg"), duration_s=1.0, language=language, text=text,
        translations={"eng": "x"},
    )  # fmt: skip


def test_long_words_count_for_more():
    assert confidence(heard("a bbbb", 0.1, 0.9)) == pytest.approx(0.1**0.2 * 0.9**0.8)
    assert confidence(heard("")) == 0.0


def test_what_is_sure_is_kept_with_the_teachers_words():
    truth = [said(0, "el gato"), said(1, "la kaza"), said(2, "el livro")]
    guesses = [heard("el gato", 0.9, 0.9), heard("la gaza", 0.3, 0.4), heard("el libro", 0.9, 0.8)]
    lesson = teach(truth, lambda asked: iter(guesses), Sureness(least=0.6))
    assert [t.utterance.text for t in lesson.kept] == ["el gato", "el libro"]
    assert all(not t.utterance.translations for t in lesson.kept)
    assert [t.utterance.id for t in lesson.dropped] == ["1"]
    assert Lesson.error_rate(lesson.kept) == pytest.approx(1 / 13)


def test_errors_are_counted_in_all_languages_of_an_utterance():
    turkish = said(0, "IBM için", "tur")
    mixed = replace(turkish, id="1", words=(Word("IBM", 0.0, 0.5, 1.0, "eng"), Word("için", 0.5, 1.0, 1.0, "tur")))
    lesson = teach([turkish, mixed], lambda asked: [heard("ibm için", 1.0, 1.0)] * 2, Sureness())
    assert [one.errors.errors for one in lesson.kept] == [1, 0]  # in Turkish I is the capital of a letter without a dot


def test_a_share_is_of_each_language():
    truth = [said(n, "a", "lad" if n < 4 else "lug") for n in range(8)]
    guesses = [heard("a", 0.5 + n / 20) for n in range(8)]
    lesson = teach(truth, lambda asked: guesses, Sureness(least=0.0, share=0.5))
    assert [t.utterance.id for t in lesson.kept] == ["2", "3", "6", "7"]


def test_nothing_said_is_nothing_taught():
    assert teach([said(0, "a")], lambda asked: [heard("")], Sureness(least=0.0)).kept == []


@given(values=st.lists(st.floats(0.01, 1.0), min_size=1, max_size=12), least=st.floats(0, 1))
def test_a_higher_bar_keeps_fewer(values, least):
    truth = [said(n, "a") for n in range(len(values))]
    guesses = [heard("a", value) for value in values]
    low, high = (teach(truth, lambda asked: guesses, Sureness(least=bar)) for bar in (least / 2, least))
    assert {t.utterance.id for t in high.kept} <= {t.utterance.id for t in low.kept}
    assert len(high.kept) + len(high.dropped) == len(values)


@pytest.mark.parametrize("numbers", [{"least": 1.5}, {"least": -0.1}, {"share": 0.0}, {"share": 2.0}])
def test_numbers_that_are_none_are_refused(numbers):
    with pytest.raises(ConfigError):
        Sureness(**numbers)
