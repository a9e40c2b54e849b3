"""A label decoder in eight bits whose step is one call of compiled code, where `instructions` has some.

What it says is what `LabelDecoder` says in eight bits, within a percent or two. Keys and values of what is written are
kept once for all hypotheses: which of them a hypothesis has come by is a table of small numbers, and to reorder
hypotheses is to reorder that.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from speech.compiled import load
from speech.nn.cpu.instructions import instructions, needed
from speech.nn.cpu.int8 import rounded
from speech.nn.cpu.int8_weights import Packed, pack, product
from speech.nn.decoder.label import DecoderLayer, LabelDecoder, head_attention
from speech.nn.linears import Network, quantized, with_layers

_PLACES = 32
"""Of tokens, that are made room for at first."""


def _kernels() -> Any:
    return load("speech.nn.decoder.step_kernels")


class Weights(NamedTuple):
    """Of all layers."""

    own: Packed
    """Queries, keys and values of self-attention."""
    own_out: Packed
    query: Packed
    """Of cross-attention."""
    cross_out: Packed
    up: Packed
    down: Packed
    norms: np.ndarray
    """(layers, 3, 2, dim): of self-attention, cross-attention, feed-forward network; scale and bias."""
    final: np.ndarray
    """(2, dim)"""


class CrossKeysValues(NamedTuple):
    """Keys and values of what is heard, T rounded up to whole tiles, in bfloat16: each step reads them all."""

    keys: np.ndarray
    """(layers, heads, dim / heads, T)"""
    values: np.ndarray
    """(layers, heads, T, dim / heads, rounded up to whole tiles)"""


class _Cache:
    """Keys and values of what is written, (layers, places, slots, heads, dim / heads); each place is written once."""

    def __init__(self, layers: int, places: int, slots: int, heads: int, size: int) -> None:
        self.keys = np.empty((layers, places, slots, heads, size), np.float32)
        self.values = np.empty_like(self.keys)
        self.written = 0

    def for_more(self, past: int, count: int, rows: int) -> _Cache:
        """One in which `count` places of `rows` hypotheses can be written behind the first `past`: this or a copy."""
        layers, places, slots, heads, size = self.keys.shape
        if self.written == past and past + count <= places and rows <= slots:
            return self
        room = max(_PLACES, 2 * past, past + count)
        new = _Cache(layers, room, max(rows, slots), heads, size)
        new.keys[:, :past, :slots], new.values[:, :past, :slots] = self.keys[:, :past], self.values[:, :past]
        return new


class _OneText(NamedTuple):
    """What is written of one utterance, in several hypotheses."""

    frames: CrossKeysValues
    heard: int
    """Of the frames, that are real."""
    cache: _Cache
    origin: np.ndarray
    """(rows, places) int64: the slot of each place"""


class CompiledState(NamedTuple):
    """Utterances that are written, each in equally many hypotheses; see `DecoderState`."""

    texts: tuple[_OneText, ...]

    @property
    def length(self) -> int:
        """Tokens so far."""
        return self.texts[0].origin.shape[1]

    def select(self, rows: Tensor) -> CompiledState:
        """See `DecoderState.select`."""
        before = len(self.texts[0].origin)
        chosen = rows.numpy().reshape(len(self.texts), -1)  # (utterances, hypotheses)
        texts = zip(self.texts, chosen, strict=True)
        return CompiledState(
            tuple(text._replace(origin=text.origin[own - before * n]) for n, (text, own) in enumerate(texts))
        )


class CompiledDecoder(nn.Module):
    """`LabelDecoder` for inference.

    Args:
        decoder: in eight bits or in float.
    """

    def __init__(self, decoder: LabelDecoder) -> None:
        super().__init__()
        self.config = decoder.config
        layers: list[DecoderLayer] = list(decoder.layers)  # type: ignore[arg-type]
        self._cross = _packed(*([layer.cross.key, layer.cross.value] for layer in layers))
        self._embed = pack([rounded(decoder.embed.weight)], [None])
        self._positions = decoder.positions.detach().float()
        self._weights = _weights(layers, decoder.norm)
        threading.Thread(target=self._warm, name="compile").start()  # no daemon: it may be in the middle of native code

    def __deepcopy__(self, memo: dict[int, Any]) -> CompiledDecoder:
        return self  # nothing of it ever changes

    def _warm(self) -> None:
        """Load or compile the code in the background, so that the first text waits less."""
        with torch.inference_mode():
            state = self.begin(torch.zeros(1, 1, self.config.dim))
            self.logits(self.step(torch.zeros(1, 1, dtype=torch.long), state)[0])

    def read_by_a_step(self) -> list[Packed]:
        """All matrices that a step multiplies by."""
        return [self._embed, *(own for own in self._weights if isinstance(own, Packed))]

    def begin(self, frames: Tensor, lengths: Tensor | None = None) -> CompiledState:
        """See `LabelDecoder.begin`."""
        longest = frames.shape[1]
        real = [longest] * len(frames) if lengths is None else lengths.tolist()
        return CompiledState(tuple(self._listen(own[:t].numpy()) for own, t in zip(frames, real, strict=True)))

    def _listen(self, heard: np.ndarray) -> _OneText:
        """To frames `(T, dim)`."""
        layers, heads, size = self.config.layers, self.config.heads, self.config.dim // self.config.heads
        tile = needed().width
        frames = CrossKeysValues(
            np.zeros((layers, heads, size, -(-len(heard) // tile) * tile), np.int16),
            np.zeros((layers, heads, -(-len(heard) // tile) * tile, -(-size // tile) * tile), np.int16),
        )
        _kernels().listen(np.ascontiguousarray(heard, np.float32), self._cross, *frames)
        return _OneText(frames, len(heard), _Cache(layers, 0, 1, heads, size), np.empty((1, 0), np.int64))

    def step(
        self, tokens: Tensor, state: CompiledState, heads: Sequence[tuple[int, int]] = ()
    ) -> tuple[Tensor, CompiledState, Tensor | None]:
        """See `LabelDecoder.step`."""
        past, count, utterances = state.length, tokens.shape[1], len(state.texts)
        self.config.check_length(past + count)
        embedded = self._embed.rows(tokens.reshape(-1).numpy())[:, : self.config.dim]  # (rows * n, dim)
        x = torch.from_numpy(embedded).view(*tokens.shape, -1) + self._positions[past : past + count]
        each = [self._write(own, text, heads) for own, text in zip(x.chunk(utterances), state.texts, strict=True)]
        longest = max(text.heard for _, text, _ in each)
        attention = None
        if heads:
            wide = [nn.functional.pad(seen, (0, longest - seen.shape[-1])) for _, _, seen in each]
            attention = torch.cat(wide)  # (rows, heads, n, T)
        return torch.cat([y for y, _, _ in each]), CompiledState(tuple(text for _, text, _ in each)), attention

    def _write(self, x: Tensor, text: _OneText, heads: Sequence[tuple[int, int]]) -> tuple[Tensor, _OneText, Tensor]:
        """`x (rows, count, dim)` of one utterance."""
        rows, count, dim = x.shape
        past = text.origin.shape[1]
        cache = text.cache.for_more(past, count, rows)
        flat, y = x.reshape(-1, dim).numpy(), np.empty((rows * count, dim), np.float32)
        queries = np.empty((self.config.layers, rows * count, dim), np.float32)
        origin = np.broadcast_to(text.origin, (rows, past)) if len(text.origin) < rows else text.origin
        origin = np.ascontiguousarray(origin)  # (rows, past)
        _kernels().step(
            flat, count, self._weights, text.frames, text.heard, cache.keys, cache.values, origin, past, queries, y
        )
        cache.written = past + count
        own = np.broadcast_to(np.arange(rows)[:, None], (rows, count))  # each in its own slot
        after = text._replace(cache=cache, origin=np.concatenate([origin, own], axis=1))
        seen = _attention(queries.reshape(-1, rows, count, dim), text, heads)
        return torch.from_numpy(y).view(rows, count, dim), after, seen

    def logits(self, x: Tensor) -> Tensor:
        """`(..., dim)` of `step` to `(..., vocabulary)`."""
        return product(x, self._embed, self.config.vocabulary)

    def forward(self, tokens: Tensor, frames: Tensor, lengths: Tensor | None = None) -> Tensor:
        """See `LabelDecoder.forward`."""
        each = torch.arange(len(frames)).repeat_interleave(len(tokens) // len(frames))
        return self.logits(self.step(tokens, self.begin(frames, lengths).select(each))[0])


def _attention(queries: np.ndarray, text: _OneText, heads: Sequence[tuple[int, int]]) -> Tensor:
    """Of cross-attention: `queries (layers, rows, count, dim)` to `(rows, heads, count, T)`."""
    size = text.frames.keys.shape[2]
    found = []
    for layer, head in heads:
        own = torch.from_numpy(queries[layer, :, :, head * size : (head + 1) * size])  # (rows, count, d)
        keys = torch.from_numpy(text.frames.keys[layer, head, :, : text.heard]).view(torch.bfloat16).float()
        found.append(head_attention(own, keys.T[None], None))  # (rows, count, T)
    return torch.stack(found, dim=1) if found else torch.empty(0)


def _weights(layers: Sequence[DecoderLayer], norm: nn.LayerNorm) -> Weights:
    norms = [[layer.attention_norm, layer.cross_norm, layer.feed_forward_norm] for layer in layers]
    return Weights(
        _packed(*([one.attention.query, one.attention.key, one.attention.value] for one in layers)),
        _packed(*([one.attention.out] for one in layers)),
        _packed(*([one.cross.query] for one in layers)),
        _packed(*([one.cross.out] for one in layers)),
        _packed(*([one.feed_forward.up] for one in layers)),
        _packed(*([one.feed_forward.down] for one in layers)),
        np.stack([[_scale_and_bias(one) for one in own] for own in norms]),  # (layers, 3, 2, dim)
        _scale_and_bias(norm),
    )


def _packed(*chosen: Sequence[nn.Linear]) -> Packed:
    """Of each layer some matrices, one below the other."""
    parts = [[_stored(linear) for linear in linears] for linears in chosen]
    matrices = [_below([weight for weight, _ in own]) for own in parts]
    return pack(matrices, [torch.cat([bias for _, bias in own]) for own in parts])


def _stored(linear: nn.Linear) -> tuple[Tensor, Tensor]:
    weight = rounded(linear.weight)
    return weight, torch.zeros(len(weight)) if linear.bias is None else linear.bias.detach().float()


def _below(weights: Sequence[Tensor]) -> Tensor:
    """One matrix of several of the same width."""
    scales = torch.cat([weight.q_per_channel_scales() for weight in weights])
    return quantized(torch.cat([weight.int_repr() for weight in weights]), scales)


def _scale_and_bias(norm: nn.Module) -> np.ndarray:
    assert isinstance(norm, nn.LayerNorm)
    return torch.stack([norm.weight, norm.bias]).detach().float().numpy()


def compiled_copy[M: Network](model: M) -> M:
    """The model with compiled label decoders, where this machine runs them; all else is shared with the original."""
    return with_layers(model, {LabelDecoder: CompiledDecoder}) if instructions() else model
