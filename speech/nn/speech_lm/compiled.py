"""Causal transformers whose steps are calls of compiled code, in int8 or float32, on CPUs with an instruction set.

In float32 they equal `CausalTransformer` and `FastTransformer` to 1e-4, in int8 within a percent or two. What a request
gets does not depend on its batch, to the last bit. They are for generation: there is no `forward`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from speech.compiled import load
from speech.nn.cpu.instructions import instructions
from speech.nn.cpu.int8 import rounded
from speech.nn.cpu.int8_weights import Packed, pack
from speech.nn.linears import Network, in_float32, shared_copy
from speech.nn.speech_lm.codebook_heads import Choose, FastTransformer
from speech.nn.speech_lm.transformer import CausalBlock, CausalTransformer, too_long
from speech.nn.streaming import Rows

_PLACES = 32
"""Least capacity of a cache that is in use."""


def _kernels() -> Any:
    return load("speech.nn.speech_lm.step_kernels")


class Matrices(NamedTuple):
    """Float32 matrices of equal shape, such as one of each layer."""

    numbers: np.ndarray
    """(matrices, in, out)"""
    bias: np.ndarray
    """(matrices, out)"""


class StepWeights(NamedTuple):
    """Weights of all layers."""

    qkv: Packed | Matrices
    out: Packed | Matrices
    gate_up: Packed | Matrices
    down: Packed | Matrices
    norms: np.ndarray
    """(layers, 2, dim): of attention and feed-forward network."""
    final: np.ndarray
    """(dim,): of the norm behind the last layer."""


class KeyCache:
    """Keys and values of sequences, `data (slots, layers, 2, places, kv_heads, size)`; each place is written once."""

    def __init__(self, slots: int, layers: int, places: int, kv_heads: int, size: int) -> None:
        self.data = np.empty((slots, layers, 2, places, kv_heads, size), np.float32)
        self.written = [0] * slots
        """Places of each slot so far."""


@dataclass(frozen=True, slots=True)
class CompiledPast(Rows):
    """What the rows of a batch have read. Rows share a cache; one that has been extended otherwise is copied."""

    cache: KeyCache
    slots: tuple[int, ...]
    """Slot of each row."""
    lengths: tuple[int, ...]
    """Places of each row."""

    @property
    def places(self) -> int:
        """Places of the longest row."""
        return max(self.lengths)

    def selected(self, slots: Sequence[int]) -> CompiledPast:
        return CompiledPast(self.cache, tuple(self.slots[n] for n in slots), tuple(self.lengths[n] for n in slots))

    def merged(self, others: Sequence[CompiledPast]) -> CompiledPast:
        all_of_them = (self, *others)
        slots = tuple(slot for past in all_of_them for slot in past.slots)
        lengths = tuple(length for past in all_of_them for length in past.lengths)
        if all(past.cache is self.cache for past in others):
            return CompiledPast(self.cache, slots, lengths)
        return CompiledPast(_copied(all_of_them, _roomy(lengths)), tuple(range(len(slots))), lengths)

    def for_more(self, counts: Sequence[int]) -> CompiledPast:
        """A past with room for `counts` more places of the rows, none of which anybody else has written."""
        needed = max(length + count for length, count in zip(self.lengths, counts, strict=True))
        written = [self.cache.written[slot] for slot in self.slots]
        free = written == list(self.lengths) and len(set(self.slots)) == len(self.slots)
        if free and needed <= self.cache.data.shape[3]:
            return self
        cache = _copied([self], max(_roomy(self.lengths), needed))
        return CompiledPast(cache, tuple(range(len(self.slots))), self.lengths)


def _roomy(lengths: Sequence[int]) -> int:
    """Capacity of a new cache of such rows: they grow."""
    return max(_PLACES, 2 * max(lengths))


def _copied(parts: Sequence[CompiledPast], places: int) -> KeyCache:
    """A cache with capacity `places` of the rows of `parts` alone, in order."""
    _, layers, _, _, kv_heads, size = parts[0].cache.data.shape
    cache, row = KeyCache(sum(len(past.slots) for past in parts), layers, places, kv_heads, size), 0
    for past in parts:
        for slot, length in zip(past.slots, past.lengths, strict=True):
            cache.data[row, :, :, :length] = past.cache.data[slot, :, :, :length]
            cache.written[row] = length
            row += 1
    return cache


class CompiledTransformer(nn.Module):
    """Compiled `CausalTransformer`.

    Args:
        transformer: in float32 or int8.
        int8: whether to compute in int8.
    """

    def __init__(self, transformer: CausalTransformer, int8: bool) -> None:
        super().__init__()
        self.config, self.positions, self.norm = transformer.config, transformer.positions, transformer.norm
        layers: list[CausalBlock] = list(transformer.layers)  # type: ignore[arg-type]
        norms = [(layer.attention_norm, layer.feed_forward_norm) for layer in layers]
        self.weights = StepWeights(
            matrices([layer.attention.qkv for layer in layers], int8),
            matrices([layer.attention.out for layer in layers], int8),
            matrices([layer.feed_forward.gate_up for layer in layers], int8),
            matrices([layer.feed_forward.down for layer in layers], int8),
            np.stack([[_numbers(norm.weight) for norm in own] for own in norms]),
            _numbers(transformer.norm.weight),
        )
        self.cis, self.eps = _numbers(transformer.rotary.cis), np.float32(self.config.eps)
        _in_background(self._warm)

    def __deepcopy__(self, memo: dict[int, Any]) -> CompiledTransformer:
        return self  # it is immutable

    def _warm(self) -> None:
        """Load or compile the kernels, so that the first request waits less."""
        with torch.inference_mode():
            self.step(torch.zeros(1, 1, self.config.dim), None)

    def begin(self, batch: int) -> CompiledPast:
        """See `CausalTransformer.begin`."""
        own = self.config
        cache = KeyCache(batch, own.layers, 0, own.kv_heads, own.dim // own.heads)
        return CompiledPast(cache, tuple(range(batch)), (0,) * batch)

    def step(self, x: Tensor, past: CompiledPast | None, counts: Sequence[int] = ()) -> tuple[Tensor, CompiledPast]:
        """See `CausalTransformer.step`; what is returned of padding is 0."""
        batch, most, _ = x.shape
        counts = counts or [most] * batch
        before = past or self.begin(batch)
        lengths = tuple(old + new for old, new in zip(before.lengths, counts, strict=True))
        if max(lengths) > self.positions:
            raise too_long(max(lengths), self.positions)
        before = before.for_more(counts)
        slots = np.repeat(np.array(before.slots), counts)
        places = np.concatenate([np.arange(old, new) for old, new in zip(before.lengths, lengths, strict=True)])
        real = np.arange(most) >= most - np.array(counts)[:, None]  # (batch, most)
        inputs = x.detach().float().numpy()
        run = inputs[real]  # (n, dim), a copy
        config = self.config
        _kernels().step(run, slots, places, self.cis, config.heads, self.eps, self.weights, before.cache.data)
        for slot, length in zip(before.slots, lengths, strict=True):
            before.cache.written[slot] = length
        y = np.zeros_like(inputs)
        y[real] = run
        return torch.from_numpy(y), CompiledPast(before.cache, before.slots, lengths)


class CompiledHeads(nn.Module):
    """Compiled `FastTransformer`.

    Args:
        heads: in float32 or int8.
        int8: whether to compute in int8.
    """

    def __init__(self, heads: FastTransformer, int8: bool) -> None:
        super().__init__()
        self.codebooks, self.first, self.shared, self.stride = heads.codebooks, heads.first, heads.shared, heads.stride
        self.blocks = CompiledTransformer(heads.blocks, int8)
        linear = heads.project if isinstance(heads.project, nn.Linear) else None
        self._project = None if linear is None else matrices([linear], int8)
        self._outputs = matrices(list(heads.outputs), int8)
        self._embed = _numbers(heads.embed.weight)
        self.size = len(heads.outputs[0].weight)  # type: ignore[arg-type]
        width = self.blocks.config.dim if linear is None else linear.in_features
        _in_background(lambda: self._warm(width))

    def __deepcopy__(self, memo: dict[int, Any]) -> CompiledHeads:
        return self  # it is immutable

    def _warm(self, width: int) -> None:
        self.choose(torch.zeros(1, width), torch.zeros(1, self.first, dtype=torch.int64), lambda s, _: s.argmax(dim=1))

    @torch.inference_mode()
    def choose(self, hidden: Tensor, given: Tensor, choose: Choose) -> Tensor:
        """See `CodebookHeads.choose`."""
        batch, config = len(hidden), self.blocks.config
        x = hidden.detach().float().numpy()
        if self._project is not None:
            projected = np.empty((batch, config.dim), np.float32)
            _kernels().project(np.ascontiguousarray(x), self._project, projected)
            x = projected
        read = [x, *(self._read(codes, n) for n, codes in enumerate(given.unbind(1)))]
        cache = np.empty(
            (batch, config.layers, 2, self.codebooks, config.kv_heads, config.dim // config.heads), np.float32
        )
        slots, chosen = np.arange(batch), list(given.unbind(1))
        common = self.blocks.cis, config.heads, self.blocks.eps, self.blocks.weights, cache, self._outputs
        for codebook in range(self.first, self.codebooks):
            places = np.repeat(np.arange(codebook + 1 - len(read), codebook + 1), batch)
            scores, number = np.empty((batch, self.size), np.float32), 0 if self.shared else codebook - self.first
            inputs = np.concatenate(read)  # (places * batch, dim), place by place
            _kernels().choose(inputs, batch, np.tile(slots, len(read)), places, *common, number, scores)
            chosen.append(choose(torch.from_numpy(scores), codebook))
            if codebook < self.codebooks - 1:
                read = [self._read(chosen[codebook], codebook)]
        return torch.stack(chosen, dim=1)

    def _read(self, codes: Tensor, codebook: int) -> np.ndarray:
        """Embeddings `(batch, dim)` of `codes (batch,)`."""
        return self._embed[codes.numpy() + self.stride * codebook]


def matrices(linears: Sequence[nn.Module], int8: bool) -> Packed | Matrices:
    """Weights and biases of linear layers of equal shape, in float32 or int8."""
    weights = [linear.get_parameter("weight") for linear in linears]
    biases = [getattr(linear, "bias", None) for linear in linears]
    known = [None if bias is None else bias.detach().float() for bias in biases]
    if int8:
        return pack([rounded(weight) for weight in weights], known)
    numbers = np.stack([_numbers(weight).T for weight in weights])
    bias = [np.zeros(numbers.shape[2], np.float32) if own is None else own.numpy() for own in known]
    return Matrices(np.ascontiguousarray(numbers), np.stack(bias))


def _numbers(weight: Tensor) -> np.ndarray:
    return np.ascontiguousarray(in_float32(weight).numpy())


def _in_background(call: Callable[[], None]) -> None:
    threading.Thread(target=call, name="compile").start()  # not a daemon: it may be in native code at exit


def compiled_steps_copy[M: Network](model: M, int8: bool) -> M:
    """Return a copy with compiled transformers, sharing everything else; the model itself if they cannot run here, or
    it has none."""
    made: dict[int, object] = {}
    inner: set[int] = set()
    for module in model.modules() if instructions() else ():
        if isinstance(module, FastTransformer):
            made[id(module)] = CompiledHeads(module, int8)
            inner |= {id(own) for own in module.modules()}
        elif isinstance(module, CausalTransformer) and id(module) not in inner:
            made[id(module)] = CompiledTransformer(module, int8)
    return shared_copy(model, made) if made else model
