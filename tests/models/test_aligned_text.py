"""How far a text has been said."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from speech.models.aligned_lm import Turn
from speech.models.aligned_text import TextRows
from speech.nn.speech_lm.text_encoder import frame_end
from speech.nn.streaming import merge, select
from tests.tiny_aligned_ar import aligned_prompt, tiny_aligned_ar, tiny_aligned_config

READER = tiny_aligned_ar().text
SPEAKING = tiny_aligned_ar(tiny_aligned_config(speaker_dim=5))


def begun(text: str, **more):
    return READER.begin(aligned_prompt(tiny_aligned_ar(), text, **more))


def test_a_text_waits_for_symbols_says_them_and_ends():
    row = begun("abc", frames=[1, 1, 1], ended=False)
    assert (row.turn, row.said.frame_counts, row.current) == (Turn.symbols, (), None)
    row = READER.extended(row, [], None, True)
    assert (row.turn, row.said.frame_counts) == (Turn.frame, (1,))
    assert begun("").turn == Turn.end
    assert begun("ab", frames=[0, 0]).turn == Turn.end
    assert begun("ab", frames=[0, 0]).said == ((0, 0), (0, 0))


def test_it_reads_no_more_symbols_than_it_needs():
    row = begun("abcdefgh abcdefgh", frames=[1.0] * 17, ended=False)
    assert row.windows.fed == READER.encoder.config.look_ahead + 1
    assert begun("abc", ended=False).windows.fed == 3


def test_what_is_read_of_a_symbol_is_the_same_whole_and_in_turn():
    prompt = aligned_prompt(SPEAKING, "abc", frames=[1, 1, 1])
    whole = SPEAKING.text.whole(prompt.symbols, prompt.language, prompt.speaker)
    row = SPEAKING.text.begin(prompt)
    torch.testing.assert_close(row.current, whole[0], atol=1e-5, rtol=1e-5)
    assert not torch.allclose(SPEAKING.text.whole(prompt.symbols, prompt.language, None), whole, atol=1e-3)


def test_expected_durations_are_those_that_symbols_get_in_turn():
    prompt = aligned_prompt(SPEAKING, "abc de.")
    expected = SPEAKING.expected_frames(prompt.symbols, prompt.language, prompt.speaker)
    row = SPEAKING.text.begin(prompt)
    while row.turn != Turn.end:
        row = SPEAKING.text.advanced(replace(row, inside=row.frame_counts[-1]))  # as if the symbol had been said
    assert row.total == pytest.approx(float(expected.sum()), rel=1e-4)
    ends = [frame_end(end) for end in expected.cumsum(0).tolist()]
    assert row.frame_counts == tuple(end - start for start, end in pairwise([0, *ends]))


def test_rows_are_selected_and_merged():
    rows = [TextRows((begun(text),)) for text in ("a", "b", "cd")]
    both = merge(rows)
    assert [len(row.symbols) for row in both.rows] == [1, 1, 2]
    assert select(both, [2, 0]).rows == (rows[2].rows[0], rows[0].rows[0])


@pytest.mark.parametrize(("rate", "total"), [(0.5, 12), (2.0, 3)])
def test_a_given_duration_is_divided_by_the_rate(rate, total):
    assert begun("a", frames=[6], rate=rate).frame_counts == (total,)
