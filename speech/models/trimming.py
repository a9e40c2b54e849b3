"""Vocabulary trimming (Ushio et al. 2023, arXiv 2305.15020): keeps only the output rows of tokens that given texts
need, without training.

A model that feeds back intermediate posteriors needs them over all tokens, so the whole head is kept for that
purpose. Trimming then reduces the work of writing, but not the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import torch

from speech.errors import ConfigError, ModelError
from speech.models.checkpoint import Checkpoint, build_empty
from speech.nn.linears import in_float32
from speech.text.tokenizers.sentencepiece import Tokenizer
from speech.text.vocabulary import Vocabulary

_TILE = 16
"""Tile size in rows: with whole tiles only, products are rounded as in the original."""
_BYTES = 6
"""SentencePiece type of byte pieces."""


@dataclass(frozen=True, slots=True)
class TrimmedModel:
    """A trimmed checkpoint with statistics."""

    checkpoint: Checkpoint
    """For `save_checkpoint`; the n-gram model, lexicon and adapters of the original do not fit."""
    tokens: tuple[int, int]
    """Number of tokens, before and after."""
    written: tuple[int, int]
    """Parameters of the output head, before and after."""
    parameters: tuple[int, int]
    """Parameters of the whole model, before and after."""
    size: tuple[int, int]
    """Bytes of the parameters in float32, before and after."""


def trim(whole: Checkpoint, texts: Iterable[str]) -> TrimmedModel:
    """Trim a model to special tokens and the pieces of `texts`; their logits stay the same.

    Up to 15 more pieces are kept, the most frequent first. In float32, logits are bit-identical where kernels
    multiply whole tiles, which may not hold for the last tokens of the original vocabulary. This applies to int8
    too, since each row has its own scale.

    Args:
        whole: the original, in float32 or as stored.
        texts: in the model's spelling (see `plain_text`), for each language to keep.

    Raises:
        ConfigError: if the model can write nothing in the texts, or is trimmed already.
        ModelError: if the texts are tokenized differently without the other pieces.
    """
    model, vocabulary = whole.model, whole.tokenizer.vocabulary
    if model.config.inner_tokens is not None:
        raise ConfigError("the model has been trimmed already", fix="Trim the one that it was made of.")
    samples = list(dict.fromkeys(texts))
    kept = _kept(whole.tokenizer, samples)
    tokenizer = _with_pieces(whole.tokenizer, [vocabulary.tokens[token] for token in kept])
    for text in samples:
        before, after = ([t.piece(token) for token in t.encode(text)] for t in (whole.tokenizer, tokenizer))
        if before != after:
            raise ModelError(f"without other pieces {text[:40]!r} becomes {after[:9]} instead of {before[:9]}")
    config = replace(model.config, inner_tokens=len(vocabulary) if model.conditioning is not None else None)
    smaller = build_empty(config, tokenizer.vocabulary)
    tensors = {name: in_float32(tensor) for name, tensor in model.state_dict().items()}
    rows = torch.tensor(kept, device=tensors["ctc.linear.weight"].device)
    if model.conditioning is not None:
        tensors |= {f"inner.linear.{part}": tensors[f"ctc.linear.{part}"] for part in ("weight", "bias")}
    names = ["ctc.linear.weight", "ctc.linear.bias", *(["embed.weight"] if model.prompt is not None else [])]
    tensors |= {name: tensors[name][rows] for name in names}
    smaller.load_state_dict(tensors, assign=True)
    smaller = smaller.requires_grad_(False).eval()
    counts = [sum(p.numel() for p in m.parameters()) for m in (model, smaller)]
    checkpoint = Checkpoint(smaller, tokenizer, {**whole.info, "trimmed_from": len(vocabulary)})
    row = model.config.encoder.dim + 1
    return TrimmedModel(
        checkpoint,
        (len(vocabulary), len(kept)),
        (len(vocabulary) * row, len(kept) * row),
        (counts[0], counts[1]),
        (4 * counts[0], 4 * counts[1]),
    )


def _kept(tokenizer: Tokenizer, texts: Iterable[str]) -> list[int]:
    """Ids of tokens to keep, ascending."""
    vocabulary = tokenizer.vocabulary
    special = {token for token in range(len(vocabulary)) if vocabulary.is_special(token)}
    said = {token for text in texts for token in tokenizer.encode(text)} - special
    if not said:
        raise ConfigError("the texts have nothing that the model writes", fix="Give some of each language to keep.")
    kept = special | said
    others = (token for token in range(len(vocabulary)) if token not in kept)
    more = [token for token, _ in zip(others, range(-len(kept) % _TILE), strict=False)]
    return sorted([*kept, *more])


def _with_pieces(tokenizer: Tokenizer, kept: Iterable[str]) -> Tokenizer:
    """Remove the other pieces from a tokenizer."""
    old = tokenizer.vocabulary
    dropped = set(old.pieces) - set(kept)
    model = b"".join(field for field, piece in _fields(tokenizer.model) if piece is None or piece not in dropped)
    new = Vocabulary.build(old.languages, old.st_targets, [p for p in old.pieces if p not in dropped], old.sos_eos)
    found = Tokenizer.from_pieces(model, languages=old.languages, st_targets=old.st_targets, sos_eos=old.sos_eos)
    if found.vocabulary != new:
        raise ModelError("its pieces are not those of its vocabulary", where="tokenizer.model")
    return found


def _fields(model: bytes) -> Iterator[tuple[bytes, str | None]]:
    """Fields of a SentencePiece model (protocol buffers), each with its piece if it is a non-byte piece."""
    place = 0
    while place < len(model):
        begin = place
        key, place = _number(model, place)
        size, place = _number(model, place)
        if key & 7 != 2:
            raise ModelError(f"has a field of kind {key & 7}, expected 2", where="tokenizer.model")
        yield model[begin : place + size], _piece(model[place : place + size]) if key >> 3 == 1 else None
        place += size


def _piece(message: bytes) -> str | None:
    """Text of a piece; None for a byte."""
    place, text, kind = 0, "", 1
    while place < len(message):
        key, place = _number(message, place)
        if key & 7 == 5:  # its score
            place += 4
            continue
        value, place = _number(message, place)
        if key & 7 == 2:
            text = message[place : place + value].decode() if key >> 3 == 1 else text
            place += value
        elif key >> 3 == 3:
            kind = value
    return None if kind == _BYTES else text


def _number(data: bytes, place: int) -> tuple[int, int]:
    """A variable-length integer, and the offset after it."""
    value = shift = 0
    while True:
        byte = data[place]
        value, shift, place = value | (byte & 127) << shift, shift + 7, place + 1
        if byte < 128:
            return value, place
