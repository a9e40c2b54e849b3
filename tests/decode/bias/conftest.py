"""Tokenizers of few letters and of few pieces."""

import pytest

from speech.text.tokenizers.sentencepiece import Tokenizer
from tests.decode.bias.phrased import TEXTS


@pytest.fixture(scope="module")
def letters() -> Tokenizer:
    texts = [*TEXTS, "東京都"]
    return Tokenizer.train(texts, vocab_size=60, languages=["eng"], st_targets=[], characters=True, coverage=1.0)


@pytest.fixture(scope="module")
def pieces() -> Tokenizer:
    return Tokenizer.train(TEXTS, vocab_size=40, languages=["eng"], st_targets=[])
