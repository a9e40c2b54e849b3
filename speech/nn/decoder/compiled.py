"""An int8 label decoder whose step is one call of compiled code, on machines with a supported instruction set.

It equals an int8 `LabelDecoder` within a percent or two. All hypotheses of an utterance share one cache of keys and
values. A table of slot indices gives each hypothesis's path through the cache, so that reordering hypotheses only
reorders this table.
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
"""Initial capacity of a cache, in tokens."""


def _kernels() -> Any:
    return load("speech.nn.decoder.step_kernels")


class Weights(NamedTuple):
    """Packed weights of all layers."""

    own: Packed
    """Queries, keys and values of self-attention."""
    own_out: Packed
    query: Packed
    """Queries of cross-attention."""
    cross_out: Packed
    up: Packed
    down: Packed
    norms: np.ndarray
    """(layers, 3, 2, dim): scale and bias of the layer norms of self-attention, cross-attention and feed-forward."""
    final: np.ndarray
    """(2, dim): scale and bias of the last layer norm."""


class CrossKeysValues(NamedTuple):
    """Cross-attention keys and values of an utterance's frames, T rounded up to whole tiles, as bfloat16 bits."""

    keys: np.ndarray
    """(layers, heads, dim / heads, T)"""
    values: np.ndarray
    """(layers, heads, T, dim / heads, rounded up to whole tiles)"""


class _Cache:
    """Self-attention keys and values, (layers, places, slots, heads, dim / heads); each place is written once."""

    def __init__(self, layers: int, places: int, slots: int, heads: int, size: int) -> None:
        self.keys = np.empty((layers, places, slots, heads, size), np.float32)
        self.values = np.empty_like(self.keys)
        self.written = 0

    def for_more(self, past: int, count: int, rows: int) -> _Cache:
        """Return a cache with room for `count` places of `rows` hypotheses after the first `past`: this or a copy."""
        layers, places, slots, heads, size = self.keys.shape
        if self.written == past and past + count <= places and rows <= slots:
            return self
        room = max(_PLACES, 2 * past, past + count)
        new = _Cache(layers, room, max(rows, slots), heads, size)
        new.keys[:, :past, :slots], new.values[:, :past, :slots] = self.keys[:, :past], self.values[:, :past]
        return new


class _OneText(NamedTuple):
    """Decoder state of one utterance, for all its hypotheses."""

    frames: CrossKeysValues
    heard: int
    """Number of real frames."""
    cache: _Cache
    origin: np.ndarray
    """(rows, places) int64: cache slot of each place of a hypothesis."""


class _Written(NamedTuple):
    """Results of a step of one utterance."""

    y: Tensor
    """`(rows, n, dim)`"""
    text: _OneText
    asked: np.ndarray
    """`(layers, rows, n, dim)`: input of cross-attention."""
    queries: np.ndarray
    """`(layers, rows, n, dim)`: queries of cross-attention."""


class CompiledState(NamedTuple):
    """Decoder state of a batch of utterances with equally many hypotheses each; see `DecoderState`."""

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
    """Compiled `LabelDecoder` for inference.

    Args:
        decoder: in int8 or float.
    """

    def __init__(self, decoder: LabelDecoder) -> None:
        super().__init__()
        self.config = decoder.config
        layers: list[DecoderLayer] = list(decoder.layers)  # type: ignore[arg-type]
        self._cross = _packed(*([layer.cross.key, layer.cross.value] for layer in layers))
        self._embed = pack([rounded(decoder.embed.weight)], [None])
        self._positions = decoder.positions.detach().float()
        self._weights = _weights(layers, decoder.norm)
        threading.Thread(target=self._warm, name="compile").start()  # not a daemon: it may be in native code at exit

    def __deepcopy__(self, memo: dict[int, Any]) -> CompiledDecoder:
        return self  # it is immutable

    def _warm(self) -> None:
        """Load or compile the kernels in the background, so that the first utterance waits less."""
        with torch.inference_mode():
            state = self.begin(torch.zeros(1, 1, self.config.dim))
            self.logits(self.step(torch.zeros(1, 1, dtype=torch.long), state)[0])

    def read_by_a_step(self) -> list[Packed]:
        """All weight matrices that a step reads, with the embedding."""
        return [self._embed, *(own for own in self._weights if isinstance(own, Packed))]

    def begin(
        self, frames: Tensor, lengths: Tensor | None = None, before: CompiledState | None = None, kept: int = 0
    ) -> CompiledState:
        """See `LabelDecoder.begin`."""
        longest = frames.shape[1]
        real = [longest] * len(frames) if lengths is None else lengths.tolist()
        known = [None] * len(frames) if before is None else [text.frames for text in before.texts]
        each = zip(frames, real, known, strict=True)
        return CompiledState(tuple(self._listen(own[:t].numpy(), earlier, kept) for own, t, earlier in each))

    def _listen(self, heard: np.ndarray, before: CrossKeysValues | None, kept: int) -> _OneText:
        """Create the state of one utterance from its frames `(T, dim)`, of which `before` has the first `kept`."""
        layers, heads, size = self.config.layers, self.config.heads, self.config.dim // self.config.heads
        tile = needed().width
        frames = CrossKeysValues(
            np.zeros((layers, heads, size, -(-len(heard) // tile) * tile), np.int16),
            np.zeros((layers, heads, -(-len(heard) // tile) * tile, -(-size // tile) * tile), np.int16),
        )
        if before is not None:
            frames.keys[..., :kept], frames.values[:, :, :kept] = before.keys[..., :kept], before.values[:, :, :kept]
        _kernels().listen(np.ascontiguousarray(heard[kept:], np.float32), self._cross, kept, *frames)
        return _OneText(frames, len(heard), _Cache(layers, 0, 1, heads, size), np.empty((1, 0), np.int64))

    def step(
        self, tokens: Tensor, state: CompiledState, heads: Sequence[tuple[int, int]] = ()
    ) -> tuple[Tensor, CompiledState, Tensor | None]:
        """See `LabelDecoder.step`."""
        each = self._through(tokens, state)
        attention = None
        if heads:
            seen = [_attention(one.queries, one.text, heads) for one in each]
            longest = max(one.text.heard for one in each)
            attention = torch.cat([nn.functional.pad(own, (0, longest - own.shape[-1])) for own in seen])
        return torch.cat([one.y for one in each]), CompiledState(tuple(one.text for one in each)), attention

    def asked(self, tokens: Tensor, state: CompiledState) -> Tensor:
        """See `LabelDecoder.asked`."""
        each = [torch.from_numpy(one.asked) for one in self._through(tokens, state)]  # (layers, rows, n, dim)
        return torch.cat(each, dim=1).transpose(0, 1)

    def _through(self, tokens: Tensor, state: CompiledState) -> list[_Written]:
        """Run a step of each utterance; arguments and errors of `step`."""
        past, count, utterances = state.length, tokens.shape[1], len(state.texts)
        self.config.check_length(past + count)
        embedded = self._embed.rows(tokens.reshape(-1).numpy())[:, : self.config.dim]  # (rows * n, dim)
        x = torch.from_numpy(embedded).view(*tokens.shape, -1) + self._positions[past : past + count]
        return [self._write(own, text) for own, text in zip(x.chunk(utterances), state.texts, strict=True)]

    def _write(self, x: Tensor, text: _OneText) -> _Written:
        """Run a step of one utterance on `x (rows, count, dim)`."""
        rows, count, dim = x.shape
        past = text.origin.shape[1]
        cache = text.cache.for_more(past, count, rows)
        flat, y = x.reshape(-1, dim).numpy(), np.empty((rows * count, dim), np.float32)
        asked = np.empty((self.config.layers, rows * count, dim), np.float32)
        queries = np.empty_like(asked)
        origin = np.broadcast_to(text.origin, (rows, past)) if len(text.origin) < rows else text.origin
        origin = np.ascontiguousarray(origin)  # (rows, past)
        args = flat, count, self._weights, text.frames, text.heard, cache.keys, cache.values, origin, past
        _kernels().step(*args, asked, queries, y)
        cache.written = past + count
        own = np.broadcast_to(np.arange(rows)[:, None], (rows, count))  # each hypothesis in its own slot
        after = text._replace(cache=cache, origin=np.concatenate([origin, own], axis=1))
        shape = -1, rows, count, dim
        return _Written(torch.from_numpy(y).view(shape[1:]), after, asked.reshape(shape), queries.reshape(shape))

    def logits(self, x: Tensor) -> Tensor:
        """Output of `step` `(..., dim)` to logits `(..., vocabulary)`."""
        return product(x, self._embed, self.config.vocabulary)

    def forward(self, tokens: Tensor, frames: Tensor, lengths: Tensor | None = None) -> Tensor:
        """See `LabelDecoder.forward`."""
        each = torch.arange(len(frames)).repeat_interleave(len(tokens) // len(frames))
        return self.logits(self.step(tokens, self.begin(frames, lengths).select(each))[0])


def _attention(queries: np.ndarray, text: _OneText, heads: Sequence[tuple[int, int]]) -> Tensor:
    """Cross-attention weights `(rows, heads, count, T)` of `heads`, from `queries (layers, rows, count, dim)`."""
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
    """Pack the linear layers of each decoder layer, stacked along the output."""
    parts = [[_stored(linear) for linear in linears] for linears in chosen]
    matrices = [_below([weight for weight, _ in own]) for own in parts]
    return pack(matrices, [torch.cat([bias for _, bias in own]) for own in parts])


def _stored(linear: nn.Linear) -> tuple[Tensor, Tensor]:
    weight = rounded(linear.weight)
    return weight, torch.zeros(len(weight)) if linear.bias is None else linear.bias.detach().float()


def _below(weights: Sequence[Tensor]) -> Tensor:
    """Concatenate quantized matrices of equal width along the output."""
    scales = torch.cat([weight.q_per_channel_scales() for weight in weights])
    return quantized(torch.cat([weight.int_repr() for weight in weights]), scales)


def _scale_and_bias(norm: nn.Module) -> np.ndarray:
    assert isinstance(norm, nn.LayerNorm)
    return torch.stack([norm.weight, norm.bias]).detach().float().numpy()


def compiled_copy[M: Network](model: M) -> M:
    """Return a copy with compiled label decoders, sharing everything else; the model itself if they cannot run here."""
    return with_layers(model, {LabelDecoder: CompiledDecoder}) if instructions() else model
