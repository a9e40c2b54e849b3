"""The protocol of synthesizers, as `tests/tts/counting.py` implements it."""

from __future__ import annotations

import torch

from tests.tts.counting import CountingSynthesizer


def test_pieces_have_one_time_for_each_symbol():
    synthesizer = CountingSynthesizer()
    pieces = list(synthesizer.say("ab cd.", "low", language="eng", rate=1.0, seed=3))
    spans = [span for piece in pieces for span in piece.spans_s]
    assert len(spans) == 6
    assert [start for start, _ in spans] == [0.0, *(end for _, end in spans[:-1])]
    assert sum(len(piece.samples) for piece in pieces) == round(spans[-1][1] * synthesizer.sample_rate)
    again = list(synthesizer.say("ab cd.", "low", language="eng", rate=1.0, seed=3))
    assert torch.equal(torch.cat([p.samples for p in pieces]), torch.cat([p.samples for p in again]))
