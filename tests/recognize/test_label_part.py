"""A part in front of a label decoder: what a search for its text may write."""

import pytest
import torch

from speech.recognize.label_part import search_with
from tests.tiny_whisper import tiny_label_tokenizer, tiny_whisper


@pytest.fixture(scope="module")
def model():
    return tiny_whisper()


def test_a_search_writes_what_the_model_does_not_suppress_and_may_end_behind_the_first_token(model):
    tokenizer = tiny_label_tokenizer()
    search = search_with(model, tokenizer, beam=2)
    logits = torch.zeros(1, 1, model.config.decoder.vocabulary)
    first, later = (search.log_probs(logits, first=one)[0, 0] for one in (True, False))
    for found in (first, later):
        assert not any(found[token].isfinite() for token in {*model.suppressed, *tokenizer.specials} - {tokenizer.end})
        assert found.shape == (tokenizer.first_timestamp,)
    assert not first[[*model.suppressed_first, tokenizer.end]].isfinite().any()
    assert later[tokenizer.end].isfinite()
    assert later.exp().sum() == pytest.approx(1.0, abs=1e-5)
