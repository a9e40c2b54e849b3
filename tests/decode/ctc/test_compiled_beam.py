"""The compiled search says to the last token what the readable one says."""

import math
from dataclasses import asdict

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from speech.decode.ctc.compiled_beam import BeamSearch, SearchConfig, compiled_beam
from speech.decode.ctc.prefix_beam import Hypothesis, prefix_beam
from speech.decode.lm.lexicon import Lexicon, LexiconScorer
from speech.decode.lm.ngram import EDGE, TokenNgram
from speech.errors import ConfigError
from tests.fake_device import DEVICE, FakeDevice

PIECES = ["<blank>", "▁", "▁the", "c", "a", "t", "▁of▁the", "l'", "▁a", "7", "’é", ""]
LEXICON = Lexicon.train(
    {"eng": {"the": 0.05, "cat": 3e-4, "at": 2e-4}, "fra": {"l'a": 0.01, "é": 1e-3, "t": 1e-6}, "deu": {"tat": 1e-5}}
)


def ngram(seed: int, order: int) -> TokenNgram:
    generator = torch.Generator().manual_seed(seed)
    texts = [[EDGE, *torch.randint(1, len(PIECES), (9,), generator=generator).tolist(), EDGE] for _ in range(40)]
    return TokenNgram.train([(text, 1.0) for text in texts], order=order)


def frames(seed: int, length: int, sharp: float) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.log_softmax(sharp * torch.randn(length, len(PIECES), generator=generator), dim=-1)


def same(one: Hypothesis, other: Hypothesis) -> None:
    assert one.ids == other.ids
    assert one.score == pytest.approx(other.score, abs=1e-9)


@settings(deadline=None, max_examples=150)
@given(
    seed=st.integers(0, 10_000), length=st.integers(1, 30), sharp=st.sampled_from([0.0, 1.0, 4.0]),
    beam=st.integers(1, 9), top_k=st.integers(1, 14), order=st.integers(1, 5), blank=st.sampled_from([0, 3]),
    least=st.sampled_from([-math.inf, -3.0]), weight=st.floats(0, 2), bonus=st.floats(-1, 1),
    languages=st.sampled_from([(), ("eng",), ("fra", "deu")]),
)  # fmt: skip
def test_with_and_without_words_it_finds_what_the_readable_search_finds(
    seed, length, sharp, beam, top_k, order, blank, least, weight, bonus, languages
):
    log_probs, model = frames(seed, length, sharp), ngram(seed, order)
    log_probs[:, seed % len(PIECES)] = -math.inf if seed % 3 == 0 and seed % len(PIECES) != blank else -2.0
    scorer = LexiconScorer(model, LEXICON, languages, PIECES) if languages else model
    config = SearchConfig(beam=beam, top_k=top_k, least=least, blank=blank, weight=weight, bonus=bonus)
    search = BeamSearch(config, model, LEXICON if languages else None, languages, PIECES)
    tried = config.tried(log_probs)
    search.advance(tried)
    found, spans = search.best()
    same(found, prefix_beam(log_probs, scorer=scorer, **asdict(config))[0])
    assert tuple(span.id for span in spans) == found.ids
    peaks = [span.start_frame for span in spans]
    assert peaks == sorted(peaks)
    assert all(0 <= peak < length for peak in peaks)
    pieces = BeamSearch(config, model, LEXICON if languages else None, languages, PIECES)
    for start in range(0, length, 7):
        pieces.advance(config.tried(log_probs[start : start + 7]))
    assert len(pieces) == length
    assert pieces.best() == (found, spans)
    rest = BeamSearch(config, model)
    rest.advance(tried.after(length // 2))
    same(rest.best()[0], compiled_beam(log_probs[length // 2 :], config, scorer=model))


@settings(deadline=None)
@given(seed=st.integers(0, 1000), length=st.integers(0, 20), beam=st.integers(1, 9))
def test_without_a_language_model_too(seed, length, beam):
    log_probs = frames(seed, length, 2.0)
    config = SearchConfig(beam=beam, top_k=20, least=-5.0)
    same(compiled_beam(log_probs, config), prefix_beam(log_probs, beam=beam, least=-5.0)[0])


@pytest.mark.parametrize("wrong", [{"beam": 0}, {"top_k": 0}, {"blank": 99}])
def test_a_search_that_cannot_be_done_is_refused(wrong):
    with pytest.raises(ConfigError, match="beam"):
        compiled_beam(frames(0, 3, 1.0), SearchConfig(**{"beam": 2, "top_k": 2, "least": -5.0} | wrong))


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 1000), length=st.integers(0, 9), top_k=st.integers(1, 30))
def test_what_is_tried_on_a_device_is_what_is_tried_on_the_cpu(seed, length, top_k):
    log_probs = frames(seed, length, 2.0)
    config = SearchConfig(beam=2, top_k=top_k, least=-5.0)
    here = config.tried(log_probs)
    with FakeDevice() as device:
        away = log_probs.to(DEVICE)
        there = config.chosen([part.cpu() for part in config.candidates(away)])
        assert device.copies["to cpu"] == 3
    for one, other in zip(
        (here.blanks, here.begins, here.said, here.chances),
        (there.blanks, there.begins, there.said, there.chances),
        strict=True,
    ):
        assert one.dtype == other.dtype
        assert one.tolist() == other.tolist()


@given(st.integers(0, 1000), st.integers(1, 6))
def test_all_texts_of_the_beam_are_those_of_the_readable_search(seed, beam):
    log_probs, model = frames(seed, 8, 1.0), ngram(seed % 5, 2)
    config = SearchConfig(beam=beam, top_k=12, least=-math.inf, weight=0.5, bonus=0.3)
    search = BeamSearch(config, model)
    search.advance(config.tried(log_probs))
    found, expected = search.nbest(), prefix_beam(log_probs, scorer=model, **asdict(config))
    assert found[0] == search.best()[0]
    for one, other in zip(found, expected, strict=True):
        same(one, other)
