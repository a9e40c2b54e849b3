"""Noise that a label decoder reads, and what its search is made to find there."""

import numpy as np

from speech.decode.label.search import LabelHypothesis

SAMPLES = (np.random.default_rng(0).standard_normal(32_000) * 0.1).astype(np.float32)


def text_of(written):
    return " ".join(word.text for word in written.words)


def says(label, monkeypatch, *found):
    """The search finds these texts; "..." behind one: it did not end."""
    hypotheses = [
        LabelHypothesis(tuple(label.tokenizer.encode(text.removesuffix("..."))), -1.0 - n, not text.endswith("..."))
        for n, text in enumerate(found)
    ]
    monkeypatch.setattr(type(label.candidates.search), "__call__", lambda *_: hypotheses)
