"""Initial state of an `adapt` run: speech and tokens of each language, and the parameters to train."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch.nn import Module

from speech.audio.augment import WaveAugment
from speech.data.batches import TrainBatches
from speech.data.manifest import Utterance
from speech.errors import ConfigError
from speech.models.checkpoint import Checkpoint
from speech.models.owsm_ctc import OwsmCtc
from speech.nn.adapters import Adapter, width_for
from speech.nn.head_extension import near_rows, random_rows
from speech.text.normalize import plain_text
from speech.text.tokenizers.sentencepiece import Tokenizer
from speech.text.vocabulary import WORD_START
from speech.train.adapters.config import AdaptConfig, AdapterRows, AdapterStart, Method
from speech.train.adapters.lora import LoraTuning, rank_for
from speech.train.adapters.principal_components import BATCHES, Moments, look, point
from speech.train.adapters.report import adapter_card
from speech.train.adapters.tuning import AdapterTuning, Tuning, WholeTuning, number_of

_log = logging.getLogger(__name__)

_RARE = 2
"""Minimum count of a character to become a token."""


@dataclass(frozen=True, slots=True)
class LanguagePart:
    """Training data of one language."""

    utterances: list[Utterance]
    tokens: tuple[str, ...]
    """Tokens that the base lacks."""
    tokenizer: Tokenizer
    """Tokenizer of the base, extended by `tokens`."""
    batches: TrainBatches


def language_part(
    config: AdaptConfig, code: str, utterances: Sequence[Utterance], tokenizer: Tokenizer
) -> LanguagePart:
    """Prepare a language: its speech in batches, and tokens for characters that the base cannot write.

    Raises:
        ConfigError: if it needs new tokens and the method is not `adapter`.
    """
    own = [u for u in utterances if u.language == code]
    tokens = missing_tokens(tokenizer, [u.text for u in own])
    if tokens and config.method != Method.adapter:
        raise ConfigError(
            f"{code} is written with {len(tokens)} characters that the model lacks: {' '.join(tokens[:20])}",
            fix="method=adapter brings them along.",
        )
    if tokens:
        _log.info("%s: %d tokens of its own: %s", code, len(tokens), " ".join(tokens))
        tokenizer = tokenizer.extended(tokens)
    augment = WaveAugment(config.data.augment) if config.data.augment is not None else None
    batches = TrainBatches(
        own,
        tokenizer,
        config.data.batches,
        augment,
        plain_text,
        cache=config.data.cache,
        plain_epochs=config.data.plain_epochs,
    )
    return LanguagePart(own, tokens, tokenizer, batches)


def missing_tokens(tokenizer: Tokenizer, texts: Sequence[str]) -> tuple[str, ...]:
    """Characters of the texts that the model cannot write, the most frequent first, as SentencePiece pieces."""
    written = [plain for text in texts if (plain := plain_text(text)).strip()]
    if not any(tokenizer.vocabulary.unk in tokenizer.encode(text) for text in written):
        return ()
    size = len(set("".join(written))) + len(WORD_START) + 1
    trained = Tokenizer.train(written, vocab_size=size, languages=[], characters=True, coverage=1.0)
    known = set(tokenizer.vocabulary.pieces)
    counts = Counter(trained.piece(token) for text in written for token in trained.encode(text))
    return tuple(piece for piece, count in counts.most_common() if piece not in known and count >= _RARE)


def build_tuning(
    config: AdaptConfig, base: Checkpoint, print_of_base: str, parts: Mapping[str, LanguagePart], *, resumed: bool
) -> Tuning:
    """Build what the configuration trains, in its initial state; a resumed run loads its values later."""
    if config.method == Method.whole:
        return WholeTuning(base.model.train())
    model = base.model
    looks = config.start == AdapterStart.principal and not resumed
    count = len(model.encoder.layers)
    layers = config.layers or list(range(count // 2 + 1, count + 1))
    if max(layers) > count:
        raise ConfigError(f"layers {layers}: the model has {count}")
    if config.method == Method.lora:
        rank = rank_for(_size(model), model.config.encoder.dim, len(layers), config.budget)
        shown = parts if looks else {}
        batches = {code: [part.batches.batch(0, n) for n in _first(part)] for code, part in shown.items()}
        return LoraTuning(model, config.languages, layers, rank, batches)
    adapters = {code: _adapter(config, base, code, part, layers, looks=looks) for code, part in parts.items()}
    cards = {code: adapter_card(config, code, part.utterances) for code, part in parts.items()}
    return AdapterTuning(model, adapters, print_of_base, cards)


def _adapter(
    config: AdaptConfig, base: Checkpoint, code: str, part: LanguagePart, layers: list[int], *, looks: bool
) -> Adapter:
    """Initial adapter of one language, independent of the other languages in the run."""
    torch.manual_seed(config.seed * 1_000_003 + number_of(code))
    model, dim = base.model, base.model.config.encoder.dim
    width = width_for(_size(model), dim, len(layers), config.budget, len(part.tokens))
    adapter = Adapter(layers, dim, width, part.tokens)
    if part.tokens:
        rows = near_rows if config.rows == AdapterRows.near else random_rows
        values, bias = rows(model.ctc, base.tokenizer.vocabulary, part.tokens)
        with torch.no_grad():
            adapter.rows.copy_(values)
            adapter.rows_bias.copy_(bias)
    if looks:
        moments = Moments(layers, dim)
        look(moments, _feeding(model, moments, part), width)
        point(adapter, moments)
    return adapter


def _size(model: Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def _first(part: LanguagePart) -> range:
    return range(min(part.batches.size(0), BATCHES))


def _feeding(model: OwsmCtc, moments: Moments, part: LanguagePart) -> Iterator[None]:
    """Feed batches to the moments, one per iteration."""
    for number in _first(part):
        batch = part.batches.batch(0, number)
        with torch.inference_mode():
            x, lengths = model.subsample(batch.samples, batch.sample_lengths)
            tap = moments.tap(lengths, x.shape[1])
            model.encode(x, lengths, batch.prefix, subsampled=True, adapters=tap)
        yield
