"""`prefix_beam` for our own language models, compiled (`beam_kernels.py`): the same texts, many times faster."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib import import_module
from typing import Any

import numpy as np
from torch import Tensor

from speech.decode.lexicon import APOSTROPHES, USUAL, Lexicon
from speech.decode.prefix_beam import Hypothesis, check_search
from speech.decode.token_ngram import STEPS_PER_NAT, TokenNgram
from speech.decode.words import WORD_START

_NO_KEYS, _NO_SCORES = np.empty(0, np.uint64), np.empty(0, np.uint8)


@cache
def _kernels() -> Any:
    """The module of compiled code, which takes most of a second to load."""
    name = "speech.decode.beam_kernels"
    try:
        return import_module(name)
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        import_module("numba").config.CACHE_DIR = tempfile.mkdtemp(prefix="speech-")
        return import_module(name)


def prepare() -> None:
    """Load the compiled code, or compile it, in the background, so that the first search does not wait as long."""
    threading.Thread(target=_warm, name="compile", daemon=True).start()


def _warm() -> None:
    compiled_beam(Tensor([[0.0, 0.0]]), beam=1, top_k=1, least=-1.0)


def compiled_beam(
    log_probs: Tensor,
    *,
    beam: int,
    top_k: int,
    least: float,
    blank: int = 0,
    scorer: TokenNgram | None = None,
    weight: float = 0.0,
    bonus: float = 0.0,
    lexicon: Lexicon | None = None,
    languages: Sequence[str] = (),
    pieces: Sequence[str] = (),
) -> Hypothesis:
    """The best text of one utterance; other threads run meanwhile.

    Args:
        log_probs: (T, vocabulary)
        beam, top_k, least, blank, weight, bonus: see `prefix_beam`.
        scorer: n-gram model over tokens.
        lexicon, languages, pieces: see `WithWords`; used beside an n-gram model only.

    Raises:
        ConfigError: if `beam` or `top_k` is below 1, or `blank` is outside the vocabulary.
    """
    check_search(log_probs.shape[-1], beam, top_k, blank)
    model = (
        float(weight), float(bonus), _ngram(scorer), _spelled(tuple(pieces) if lexicon else ()),
        _words(lexicon, tuple(languages)), scorer is not None, scorer is not None and lexicon is not None,
    )  # fmt: skip
    scores = np.ascontiguousarray(log_probs.detach().float().cpu().numpy())
    ids, score = _kernels().search(scores, beam, top_k, float(least), blank, model)
    return Hypothesis(tuple(ids.tolist()), float(score))


def _ngram(scorer: TokenNgram | None) -> tuple[int, np.ndarray, np.ndarray, np.ndarray, float]:
    if scorer is None:
        return 1, _NO_KEYS, _NO_SCORES, _NO_SCORES, STEPS_PER_NAT
    return scorer.order, scorer.keys, scorer.scores, scorer.backoffs, STEPS_PER_NAT


def _words(lexicon: Lexicon | None, languages: tuple[str, ...]) -> tuple[Any, ...]:
    if lexicon is None:
        return _NO_KEYS, _NO_SCORES, np.empty((0, 2), np.int64), 0.0, 0.0, USUAL, STEPS_PER_NAT
    ranges = np.array([lexicon.ranges[code] for code in languages], np.int64)
    return (
        lexicon.keys, lexicon.scores, ranges, float(lexicon.scale), float(lexicon.penalty), USUAL, STEPS_PER_NAT,
    )  # fmt: skip


@lru_cache(maxsize=8)
def _spelled(pieces: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where the characters of each piece begin, their code points, and their kinds."""
    kinds = _kernels()
    letters = [character for piece in pieces for character in piece]
    kind = [
        kinds.WORD_START if character == WORD_START
        else kinds.DIGIT if character.isdigit()
        else kinds.APOSTROPHE if character in APOSTROPHES
        else kinds.LETTER
        for character in letters
    ]  # fmt: skip
    begins = np.cumsum([0, *(len(piece) for piece in pieces)])
    return begins.astype(np.int64), np.array([ord(c) for c in letters], np.int64), np.array(kind, np.int64)
