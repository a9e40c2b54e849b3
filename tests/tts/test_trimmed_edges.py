"""Speech without the silence around it."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from speech.tts.trimmed_edges import TrimmedEdges

SAID = np.concatenate([np.zeros(300), np.ones(50), np.zeros(200), np.ones(50), np.zeros(400)]).astype(np.float32)


def trimmed(pieces):
    edges = TrimmedEdges(1000, lead_s=0.03, tail_s=0.1)
    found = [edges.push(piece) for piece in pieces]
    return np.concatenate([*found, edges.end()]), edges.dropped


@given(st.lists(st.integers(0, len(SAID)), max_size=10))
def test_any_pieces_keep_what_lies_between_the_first_sound_and_the_last(cuts):
    samples, dropped = trimmed([SAID[a:b] for a, b in pairwise([0, *sorted(cuts), len(SAID)])])
    assert dropped == 270
    assert samples.tolist() == SAID[270:700].tolist()


def test_silence_is_nothing():
    samples, dropped = trimmed([np.zeros(100, np.float32)] * 3)
    assert len(samples) == dropped == 0


def test_there_may_be_less_silence_than_stays():
    samples, dropped = trimmed([SAID[290:600]])
    assert (len(samples), dropped) == (310, 0)
