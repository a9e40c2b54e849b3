"""Words join to what the tokenizer decodes, with times in order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.decode.ctc.greedy import TokenSpan
from speech.decode.words.words import mixed_drafts, words_from_tokens

PIECES = ["\u2581", "\u2581the", "\u2581c", "at", "s", "\u2581a\u2581b", "'", "ö"]
tokens = st.lists(
    st.tuples(st.integers(0, len(PIECES) - 1), st.integers(0, 4), st.integers(1, 3), st.floats(0.01, 1)), max_size=30
)


def spans_of(parts):
    spans, now = [], 0
    for token, gap, length, confidence in parts:
        spans.append(TokenSpan(token, now + gap, now + gap + length, confidence))
        now += gap + length
    return spans, now


@given(tokens)
def test_words_join_to_the_decoded_text_and_times_ascend(parts):
    spans, frames = spans_of(parts)
    duration_s = max(frames * 0.04 - 0.01, 0.0)
    words = words_from_tokens(
        spans, PIECES.__getitem__, frame_s=0.04, offset_s=0.0, duration_s=duration_s, language="eng", spaces=True
    )
    decoded = "".join(PIECES[span.id] for span in spans).replace("\u2581", " ")
    assert " ".join(word.text for word in words) == " ".join(decoded.split())
    last = 0.0
    for word in words:
        assert 0.0 <= last <= word.start_s + 0.08 + 1e-9
        assert word.start_s <= word.end_s <= duration_s
        assert 0.0 <= word.confidence <= 1.0
        last = word.start_s


@given(tokens)
def test_without_spaces_every_character_is_a_word(parts):
    spans, frames = spans_of(parts)
    words = words_from_tokens(
        spans, PIECES.__getitem__, frame_s=0.04, offset_s=0.5, duration_s=frames + 1.0, language="cmn", spaces=False
    )
    assert "".join(word.text for word in words) == "".join(PIECES[s.id] for s in spans).replace("\u2581", "")
    assert all(len(word.text) == 1 for word in words)
    assert [w.start_s for w in words] == sorted(w.start_s for w in words)


def test_a_word_lasts_into_the_blank_after_it_for_at_most_half_the_gap():
    spans = [TokenSpan(1, 0, 1, 0.5), TokenSpan(2, 3, 4, 0.25), TokenSpan(3, 5, 6, 1.0)]
    words = words_from_tokens(
        spans, PIECES.__getitem__, frame_s=0.1, offset_s=0.0, duration_s=5.0, language="eng", spaces=True
    )
    assert [w.text for w in words] == ["the", "cat"]
    assert [(w.start_s, w.end_s) for w in words] == [
        (0.0, pytest.approx(0.2)),
        (pytest.approx(0.3), pytest.approx(0.8)),
    ]
    assert words[1].confidence == pytest.approx(0.5)


def test_mixed_words_are_cut_by_word_and_by_character():
    pieces = ["\u2581我", "去", "\u2581coffee", "\u2581sh", "op", "那家a", "\u2581a\u2581b"]
    spans = [TokenSpan(n, 4 * n, 4 * n + 3, 0.5) for n in range(len(pieces))]
    drafts = mixed_drafts(spans, pieces.__getitem__)
    assert [draft.text for draft in drafts] == ["我", "去", "coffee", "shop", "那", "家", "a", "a", "b"]
    assert [(d.first, d.last) for d in drafts] == [(0, 0), (1, 1), (2, 2), (3, 4), *[(5, 5)] * 3, *[(6, 6)] * 2]
    assert [d.start for d in drafts] == sorted(d.start for d in drafts)
    assert drafts[4].end == pytest.approx(21.0)


@given(tokens)
def test_mixed_words_are_the_words_where_a_language_writes_spaces(parts):
    spans, frames = spans_of(parts)
    words = words_from_tokens(
        spans, PIECES.__getitem__, frame_s=0.04, offset_s=0.0, duration_s=frames, language="eng", spaces=True
    )
    drafts = mixed_drafts(spans, PIECES.__getitem__)
    assert [draft.text for draft in drafts] == [word.text for word in words]
