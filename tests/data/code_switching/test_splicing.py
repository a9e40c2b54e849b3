"""Pieces of recordings in a row, with their words, and without a click between them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.audio import SAMPLE_RATE
from speech.data.code_switching.splicing import RecordingSpan, splice
from speech.transcript import Word

FADE_S = 0.012


def sine(seconds: float, hertz: float, loud: float = 0.3, phase: float = 0.0) -> np.ndarray:
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (loud * np.sin(2 * np.pi * hertz * time + phase)).astype(np.float32)


def spoken(
    words: int, hertz: float = 220.0, loud: float = 0.3, word_s: float = 0.4, gap_s: float = 0.3
) -> tuple[np.ndarray, list[Word]]:
    """Tones of `word_s` with silence before, between and behind, and the words that they are."""
    parts, found, at = [np.zeros(round(gap_s * SAMPLE_RATE), np.float32)], [], gap_s
    for number in range(words):
        parts += [sine(word_s, hertz, loud), np.zeros(round(gap_s * SAMPLE_RATE), np.float32)]
        found.append(Word(f"w{number}", at, at + word_s, 0.9, None))
        at += word_s + gap_s
    return np.concatenate(parts), found


def rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(samples.astype(np.float64) ** 2)))


def heard(samples: np.ndarray, word: Word) -> np.ndarray:
    return samples[round(word.start_s * SAMPLE_RATE) : round(word.end_s * SAMPLE_RATE)]


def test_a_whole_recording_stays_as_it_is() -> None:
    samples, words = spoken(3)
    joined, said = splice([RecordingSpan(samples, words, 0, 3, "eng")])
    np.testing.assert_array_equal(joined, samples)
    assert [(w.text, w.start_s, w.end_s, w.confidence) for w in said] == [
        (w.text, w.start_s, w.end_s, w.confidence) for w in words
    ]
    assert {word.language for word in said} == {"eng"}


def test_words_are_where_they_are_said_to_be_and_in_the_language_of_their_piece() -> None:
    one, first = spoken(4, 200.0)
    other, second = spoken(4, 1000.0)
    joined, said = splice(
        [
            RecordingSpan(one, first, 0, 2, "eng"),
            RecordingSpan(other, second, 2, 3, "deu"),
            RecordingSpan(one, first, 3, 4, "eng"),
        ]
    )
    assert [(word.text, word.language) for word in said] == [
        ("w0", "eng"),
        ("w1", "eng"),
        ("w2", "deu"),
        ("w3", "eng"),
    ]
    for word, hertz in zip(said, (200, 200, 1000, 200), strict=True):
        tone = heard(joined, word)
        assert len(tone) == pytest.approx(0.4 * SAMPLE_RATE, abs=2)
        assert np.abs(np.fft.rfft(tone)).argmax() * SAMPLE_RATE / len(tone) == pytest.approx(hertz, abs=5)
        assert rms(tone) == pytest.approx(0.3 / np.sqrt(2), rel=0.15)  # more than half a piece may be pauses
    spent = np.ones(len(joined), bool)
    for word in said:
        spent[round(word.start_s * SAMPLE_RATE) - 2 : round(word.end_s * SAMPLE_RATE) + 2] = False
    assert not joined[spent].any()  # nothing of other words


def test_lengths_add_up_but_for_the_fades() -> None:
    samples, words = spoken(2)
    whole = RecordingSpan(samples, words, 0, 2, "eng")
    joined, said = splice([whole, whole, whole])
    assert len(joined) == 3 * len(samples) - 2 * round(FADE_S * SAMPLE_RATE)
    shift = said[4].start_s - said[0].start_s
    assert shift == pytest.approx(2 * (len(samples) / SAMPLE_RATE - FADE_S), abs=1e-6)


@pytest.mark.parametrize("phase", np.linspace(0, 2 * np.pi, 7))
@pytest.mark.parametrize("hertz", [60.0, 220.0, 330.0])
def test_there_is_no_click_where_two_tones_meet(hertz: float, phase: float) -> None:
    """Not even in a row without a pause, where a cut goes through the middle of a tone."""
    one, other = sine(1.0, 60.0, 0.3, 1.0), sine(1.0, hertz, 0.3, phase)
    words = [Word("a", 0.0, 0.5, 1.0, None), Word("b", 0.5, 1.0, 1.0, None)]
    joined, said = splice([RecordingSpan(one, words, 0, 1, "eng"), RecordingSpan(other, words, 1, 2, "deu")])
    middle = round(said[1].start_s * SAMPLE_RATE)
    at_joint = np.abs(np.diff(joined[middle - 400 : middle + 400])).max()
    elsewhere = max(np.abs(np.diff(part)).max() for part in (one, other))
    assert at_joint <= 1.5 * elsewhere + 0.3 * np.pi / 2 / (FADE_S * SAMPLE_RATE)
    assert np.abs(joined).max() <= 0.3 * np.sqrt(2) + 1e-3


def test_a_fade_begins_and_ends_softly_where_recordings_end_and_begin_loud() -> None:
    tone, words = sine(1.0, 10.0, 0.3, np.pi / 2), [Word("a", 0.2, 0.8, 1.0, None)]
    joined, _ = splice([RecordingSpan(tone, words, 0, 1, "eng"), RecordingSpan(-tone, words, 0, 1, "deu")])
    steepest = 0.3 * np.sqrt(2) * np.pi / 2 / (FADE_S * SAMPLE_RATE)  # of a quarter of a turn from one to the other
    assert np.abs(np.diff(joined)).max() <= 1.1 * steepest


def test_pieces_are_as_loud_as_the_first() -> None:
    loud, first = spoken(2, loud=0.4, gap_s=0.2)
    soft, second = spoken(2, loud=0.1, gap_s=0.2)
    joined, said = splice([RecordingSpan(loud, first, 0, 1, "eng"), RecordingSpan(soft, second, 1, 2, "deu")])
    assert rms(heard(joined, said[1])) == pytest.approx(rms(heard(joined, said[0])), rel=0.02)
    joined, said = splice([RecordingSpan(soft, second, 0, 1, "eng"), RecordingSpan(loud, first, 1, 2, "deu")])
    assert rms(heard(joined, said[1])) == pytest.approx(0.1 / np.sqrt(2), rel=0.02)


def test_what_is_hardly_there_is_not_made_louder_without_limit() -> None:
    loud, first = spoken(1, loud=0.4)
    faint, second = spoken(1, loud=0.001)
    joined, said = splice([RecordingSpan(loud, first, 0, 1, "eng"), RecordingSpan(faint, second, 0, 1, "deu")])
    assert rms(heard(joined, said[1])) == pytest.approx(0.001 / np.sqrt(2) * 10 ** (15 / 20), rel=0.02)


def test_nothing_is_louder_than_full_scale() -> None:
    full, words = spoken(1, loud=1.0)
    joined, _ = splice([RecordingSpan(full, words, 0, 1, "eng"), RecordingSpan(full, words, 0, 1, "deu")])
    assert np.abs(joined).max() == pytest.approx(0.97, abs=1e-4)
    peaky = spoken(1, loud=0.05)[0]
    peaky[7000] = 0.9
    joined, _ = splice(
        [RecordingSpan(spoken(1, loud=0.5)[0], words, 0, 1, "eng"), RecordingSpan(peaky, words, 0, 1, "deu")]
    )
    assert np.abs(joined).max() <= 0.97 + 1e-6
    assert joined.dtype == np.float32


def test_a_recording_is_cut_where_it_is_quietest_between_two_words() -> None:
    samples = sine(2.0, 300.0)
    samples[round(1.1 * SAMPLE_RATE) : round(1.14 * SAMPLE_RATE)] = 0.0
    words = [Word("a", 0.1, 0.9, 1.0, None), Word("b", 1.3, 1.9, 1.0, None)]
    joined, _ = splice([RecordingSpan(samples, words, 0, 1, "eng")])
    assert 1.1 <= len(joined) / SAMPLE_RATE <= 1.14


def test_silence_has_no_loudness_to_match() -> None:
    quiet, words = np.zeros(8000, np.float32), [Word("a", 0.1, 0.3, 1.0, None)]
    tone, others = spoken(1)
    for pieces in ([(quiet, words), (tone, others)], [(tone, others), (quiet, words)]):
        joined, said = splice([RecordingSpan(samples, spoken_words, 0, 1, "eng") for samples, spoken_words in pieces])
        assert np.isfinite(joined).all()
        assert np.abs(joined).max() == pytest.approx(0.3, abs=0.01)
        assert len(said) == 2


@st.composite
def recordings(draw: st.DrawFn) -> tuple[np.ndarray, list[Word]]:
    """Noise, and words in frames of 20 ms as CTC gives them: as short as one, in a row or with pauses between."""
    frame, found = draw(st.integers(0, 10)), []
    for number in range(draw(st.integers(1, 8))):
        length = draw(st.integers(1, 20))
        found.append(Word(f"w{number}", 0.02 * frame, 0.02 * (frame + length), 1.0, None))
        frame += length + draw(st.integers(0, 10))
    noise = np.random.default_rng(draw(st.integers(0, 9))).standard_normal(320 * (frame + draw(st.integers(0, 5))))
    return (0.1 * noise).astype(np.float32), found


@given(recordings(), recordings(), st.data())
def test_words_stay_in_order_within_the_audio_however_it_is_cut(
    one: tuple[np.ndarray, list[Word]], other: tuple[np.ndarray, list[Word]], data: st.DataObject
) -> None:
    pieces = []
    for number in range(data.draw(st.integers(1, 4))):
        samples, words = (one, other)[number % 2]
        first = data.draw(st.integers(0, len(words) - 1))
        pieces.append(RecordingSpan(samples, words, first, data.draw(st.integers(first + 1, len(words))), "eng"))
    joined, said = splice(pieces)
    assert [word.text for word in said] == [f"w{n}" for piece in pieces for n in range(piece.first, piece.last)]
    assert all(0.0 <= word.start_s <= word.end_s <= len(joined) / SAMPLE_RATE + 1e-9 for word in said)
    starts, ends = [word.start_s for word in said], [word.end_s for word in said]
    assert starts == sorted(starts)
    assert ends == sorted(ends)
    assert all(after - before > -FADE_S - 1e-9 for before, after in zip(ends, starts[1:], strict=False))
    assert 0.0 < np.abs(joined).max() <= 0.97 + 1e-6


@given(recordings(), st.data())
def test_a_short_word_is_not_cut_away(one: tuple[np.ndarray, list[Word]], data: st.DataObject) -> None:
    samples, words = one
    first = data.draw(st.integers(0, len(words) - 1))
    joined, [word] = splice([RecordingSpan(samples, words, first, first + 1, "eng")])
    assert len(joined) > 0
    assert word.end_s > word.start_s
