"""Pauses between known segments: number, share and longest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.metrics.speech_quality.pauses import Pauses, pauses_of

LENGTHS = st.floats(0.01, 10.0)


@given(st.floats(0, 100), st.lists(st.tuples(LENGTHS, LENGTHS), max_size=6), LENGTHS)
def test_pauses_are_what_lies_between_segments(begin, pairs, last):
    segments, now = [], begin
    for spoken, silent in pairs:
        segments.append((now, now + spoken))
        now += spoken + silent
    segments.append((now, now + last))
    found = pauses_of(segments)
    assert found.lengths_s == pytest.approx([silent for _, silent in pairs])
    assert found.speaking_s == pytest.approx(sum(map(sum, pairs)) + last)
    assert found.share == pytest.approx(sum(silent for _, silent in pairs) / found.speaking_s)
    assert found.longest_s == pytest.approx(max((silent for _, silent in pairs), default=0.0))


def test_silence_has_no_pauses():
    assert pauses_of([]) == Pauses(0.0, ())
    assert (pauses_of([]).share, pauses_of([]).longest_s) == (0.0, 0.0)
