"""Texts with phrases in them, and what phrases add to them."""

import re

import torch
from hypothesis import strategies as st

from speech.decode.bias.biasing import BiasingScorer as _Biasing
from speech.decode.bias.phrases import Phrase, Phrases
from speech.decode.lm.lexicon import Lexicon
from speech.text.tokenizers.sentencepiece import Tokenizer

TEXTS = ["the cat sat on the mat", "a dog ran over the street", "aa ab ba bb aba bab abba"] * 5
LEXICON = Lexicon.train({"eng": {"the": 0.05, "cat": 3e-4, "sat": 2e-4}})
WORD = st.text("ab", min_size=1, max_size=4)
TEXT = st.lists(WORD, max_size=6).map(" ".join)


def Biasing(tokenizer, phrases, scorer=None):
    return _Biasing(Phrases(tokenizer, [Phrase(*pair) for pair in phrases.items()]), scorer)


def added(biasing: Biasing, ids) -> float:
    state, total = biasing.start(), 0.0
    for token in ids:
        state, gain = biasing.score(state, token)
        total += gain
    return total + biasing.finish(state)


def occurrences(phrase: str, text: str) -> int:
    """As whole words; two occurrences may share a word."""
    return len(re.findall(rf"(?=(?<![^ ]){phrase}(?![^ ]))", text))


def said(tokenizer: Tokenizer, text: str, rival: str = "", behind: float = 0.5) -> torch.Tensor:
    """Frames (T, vocabulary) of a text, and nearly as probable of its rival with as many tokens."""
    ids = tokenizer.encode(text)
    log_probs = torch.full((2 * len(ids), len(tokenizer.vocabulary)), -9.0)
    log_probs[1::2, 0] = 0.0
    for frame, (token, other) in enumerate(zip(ids, tokenizer.encode(rival or text), strict=True)):
        log_probs[2 * frame, other] = -behind
        log_probs[2 * frame, token] = 0.0
    return torch.log_softmax(log_probs, dim=-1)
