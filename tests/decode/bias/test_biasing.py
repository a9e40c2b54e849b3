"""Phrases beside a language model, in the readable search."""

from dataclasses import asdict

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from speech.decode.bias.biasing import BiasingScorer as _Biasing
from speech.decode.bias.phrases import Phrase, Phrases
from speech.decode.ctc.compiled_beam import BeamSearch, SearchConfig
from speech.decode.ctc.prefix_beam import prefix_beam
from speech.decode.lm.lexicon import LexiconScorer
from speech.decode.lm.ngram import EDGE, TokenNgram
from speech.text.tokenizers.sentencepiece import Tokenizer
from tests.decode.bias.phrased import LEXICON, TEXT, TEXTS, Biasing, added, occurrences, said


def heard(tokenizer: Tokenizer, log_probs: torch.Tensor, scorer=None) -> str:
    return tokenizer.decode(prefix_beam(log_probs, scorer=scorer, weight=1.0)[0].ids)


def test_the_phrase_wins_over_a_close_competitor_and_other_text_stays(letters):
    log_probs = said(letters, "the mat sat on the cat", rival="the cat sat on the mat")
    assert heard(letters, log_probs) == "the mat sat on the cat"
    assert heard(letters, log_probs, Biasing(letters, {"The Cat!": 0.5})) == "the cat sat on the cat"
    assert heard(letters, log_probs, Biasing(letters, {"on the mat": 0.5})) == "the mat sat on the mat"
    assert heard(letters, log_probs, Biasing(letters, {"a dog ran": 0.5})) == "the mat sat on the cat"


@given(TEXT)
def test_around_a_language_model_it_adds_to_its_scores(letters, text):
    texts = [([EDGE, *letters.encode(line), EDGE], 1.0) for line in TEXTS]
    model = TokenNgram.train(texts, order=3)
    ids, inner = letters.encode(text), Biasing(letters, {})
    alone = added(Biasing(letters, {}, model), ids)
    both = added(Biasing(letters, {"ab": 2.0}, model), ids)
    assert both - alone == pytest.approx(4.0 * occurrences("ab", text))
    assert added(inner, ids) == 0.0


@given(
    seed=st.integers(0, 10_000), length=st.integers(0, 24), with_words=st.booleans(), with_model=st.booleans(),
    boosts=st.dictionaries(st.sampled_from(["cat", "the cat", "a", "aba ba", "dog ran", "東"]), st.floats(0.1, 3)),
)  # fmt: skip
def test_the_compiled_search_prefers_what_the_readable_one_prefers(
    letters, seed, length, with_words, with_model, boosts
):
    generator = torch.Generator().manual_seed(seed)
    texts = [([EDGE, *letters.encode(line), EDGE], 1.0) for line in TEXTS]
    model = TokenNgram.train(texts, order=3) if with_model else None
    log_probs = torch.log_softmax(3 * torch.randn(length, len(letters.vocabulary), generator=generator), dim=-1)
    phrases = Phrases(letters, [Phrase(*pair) for pair in boosts.items()])
    pieces, weight = letters.vocabulary.tokens, 0.7 if with_model else 1.0
    config = SearchConfig(beam=6, top_k=9, least=-8.0, weight=weight, bonus=0.3)
    lexicon = LEXICON if with_words and with_model else None
    search = BeamSearch(config, model, lexicon, ("eng",), pieces, phrases)
    for start in range(0, length, 5):
        search.advance(config.tried(log_probs[start : start + 5]))
    scorer = model if lexicon is None else LexiconScorer(model, lexicon, ("eng",), pieces, phrases.words)
    biasing = _Biasing(phrases, scorer, scale=1 / weight)
    expected = prefix_beam(log_probs, scorer=biasing, **asdict(config))[0]
    found = search.best()[0]
    assert found.score == pytest.approx(expected.score, abs=1e-6)
    assert found.ids == expected.ids
