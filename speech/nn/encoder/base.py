"""Base of all encoders: subsampling, positions and layers, with full context, chunked and streaming.

`forward` with a `ChunkSpec` equals the concatenated outputs of `step` (float32: 1e-4), for any split of the input.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from speech.chunking import ChunkSpec
from speech.errors import ConfigError
from speech.nn.encoder.masks import SequenceLayout, reduced
from speech.nn.encoder.positions import SinusoidalPositions
from speech.nn.encoder.subsampling import UNKNOWN_END, PairReduction, Subsampling
from speech.nn.streaming import StreamTensors
from speech.ranges import ranged

Tap = Callable[[int, Tensor], Tensor]
"""Called with (layer number from 1, x) after every layer; its result replaces x."""


@dataclass(kw_only=True, slots=True)
class EncoderConfig:
    """Base of encoder configurations: input and output widths, and `build`."""

    bins: int = ranged(80, least=1)
    """Log-mel bins."""
    dim: int = ranged(512, least=1)
    """Width of a frame."""

    def build(self) -> Encoder:
        raise NotImplementedError


class EncoderOutput(NamedTuple):
    """Encoder output: audio frames `x (batch, T', dim)`, `lengths (batch,)`, and `prefix (batch, P', dim)`."""

    x: Tensor
    lengths: Tensor
    prefix: Tensor


class Halfway(NamedTuple):
    """Intermediate frames after the lower layers."""

    x: Tensor
    """(batch, P + T', dim): prefix frames first."""
    lengths: Tensor
    """(batch,) number of audio frames."""
    prefix: int
    """P: number of prefix frames in `x`."""
    layer: int
    """Last layer that has been applied, from 1."""
    waiting: Tensor | None = None
    """(batch, P, dim): prefix frames that enter above `layer`."""


class EncoderState(NamedTuple):
    """State of a batch of live streams; its size does not grow with their length."""

    pending: Tensor
    """(batch, n, bins) feature frames that wait for a complete chunk."""
    received: Tensor
    """(batch,) feature frames so far."""
    done: Tensor
    """(batch,) encoder frames returned so far, counted before time reduction."""
    prefix: Tensor
    """(batch, P, dim) prefix frames after the last layer."""
    layers: tuple[Any, ...]
    """One state per layer."""


class Grown(NamedTuple):
    """What has been encoded for good of an utterance that goes on."""

    frames: Tensor
    """(1, T, dim)"""
    encoder: EncoderState
    """State behind them."""


def _join(prefix: Tensor, x: Tensor, lengths: Tensor, layout: SequenceLayout) -> tuple[Tensor, Tensor, SequenceLayout]:
    """Put prefix frames in front of audio frames that have none yet."""
    return torch.cat([prefix, x], dim=1), lengths, layout.behind(prefix.shape[1])


class WholeEncoder(nn.Module):
    """Encoder of whole utterances, with full context or chunked as in live use.

    Args:
        subsampling: features to frames.
        positions: position embeddings.
        layers: each with `forward`, `begin` and `step` (see `nn.encoder.whisper.WhisperLayer`).
        norm: applied after the last layer.
        reduce_after: layer after which pairs of frames are merged (0: never).
        prefix_positions: whether prefix frames take positions 0 .. P - 1 and audio follows.
        prefix_after: number of layers that process the audio only; prefix frames enter above them.
        scale: factor applied to frames before positions are added.
        dropout: dropout after positions are added.
    """

    def __init__(
        self,
        *,
        subsampling: Subsampling,
        positions: SinusoidalPositions,
        layers: list[nn.Module],
        norm: nn.LayerNorm,
        reduce_after: int = 0,
        prefix_positions: bool = False,
        prefix_after: int = 0,
        scale: float = 1.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.subsampling = subsampling
        self.positions = positions
        self.layers = nn.ModuleList(layers)
        self.norm = norm
        self.reduce_after = reduce_after
        self.reduction = PairReduction(int(norm.weight.shape[0])) if reduce_after else None
        self.prefix_positions = prefix_positions
        self.prefix_after = prefix_after
        self.scale = scale
        self.dropout = nn.Dropout(dropout)
        self.frozen = 0
        """Number of lowest layers that are frozen in training, with the subsampling; they need no backward pass."""

    @property
    def factor(self) -> int:
        """Feature frames per output frame."""
        return self.subsampling.factor * (2 if self.reduction is not None else 1)

    def _embed(self, x: Tensor, times: Tensor, prefix: int) -> Tensor:
        shift = prefix if self.prefix_positions else 0
        return self.dropout(x * self.scale + self.positions(times + shift).to(x.dtype))

    def _embed_prefix(self, prefix: Tensor) -> Tensor:
        if not self.prefix_positions:
            return prefix * self.scale
        index = torch.arange(prefix.shape[1], device=prefix.device)
        return self._embed(prefix, index - prefix.shape[1], prefix.shape[1])

    def _check_prefix(self, prefix: Tensor | None, like: Tensor) -> Tensor:
        if prefix is None:
            prefix = like.new_zeros(like.shape[0], 0, int(self.norm.weight.shape[0]))
        if self.reduction is not None and prefix.shape[1] % 2:
            raise ConfigError(f"a prefix of {prefix.shape[1]} frames cannot be reduced by 2", fix="Use an even number.")
        return prefix

    def forward(
        self,
        features: Tensor,
        lengths: Tensor,
        chunk: ChunkSpec | None = None,
        *,
        prefix: Tensor | None = None,
        tap: Tap | None = None,
        memory: StreamTensors | None = None,
        offset: Tensor | int = 0,
        subsampled: bool = False,
    ) -> EncoderOutput:
        """Encode whole utterances.

        Args:
            features: `(batch, T, bins)`; values beyond `lengths (batch,)` are ignored.
            chunk: chunk specification, for training or to simulate live use; None: full context.
            prefix: `(batch, P, dim)` frames before the audio, visible to every frame.
            tap: see `Tap`.
            memory: prompts for cross-attention, `(M, dim)` each.
            offset: first position, an int or `(batch, 1)`; training varies it so that no position is special.
            subsampled: `features` are already subsampled, `(batch, T', dim)`, and `lengths` count those frames.

        Returns:
            `x (batch, T', dim)`, `lengths (batch,)` and `prefix (batch, P', dim)`.
        """
        x, lengths, layout, waiting = self._enter(features, lengths, chunk, prefix, offset, subsampled)
        x, lengths, layout = self._pass(x, lengths, layout, range(1, len(self.layers) + 1), waiting, tap, memory)
        return self._leave(x, lengths, layout)

    def until(
        self,
        layer: int,
        features: Tensor,
        lengths: Tensor,
        *,
        prefix: Tensor | None = None,
        tap: Tap | None = None,
        memory: StreamTensors | None = None,
    ) -> Halfway:
        """Encode whole utterances up to and including `layer`, with full context; arguments as for `forward`.

        Raises:
            ConfigError: if time is reduced at or below that layer.
        """
        if 0 < self.reduce_after <= layer:
            raise ConfigError(f"frames behind layer {layer} are reduced after {self.reduce_after}", fix="Go less far.")
        x, lengths, layout, waiting = self._enter(features, lengths, None, prefix, 0, False)
        x, lengths, layout = self._pass(x, lengths, layout, range(1, layer + 1), waiting, tap, memory)
        return Halfway(x, lengths, layout.prefix, layer, waiting if layer < self.prefix_after else None)

    def behind(self, x: Tensor, lengths: Tensor, prefix: Tensor) -> Halfway:
        """Put `prefix (batch, P, dim)` before frames `x (batch, T', dim)` of the layers that process the audio only."""
        waiting = self._embed_prefix(prefix).to(x.dtype)
        x, lengths, layout = _join(waiting, x, lengths, SequenceLayout.build(0, x.shape[1], None, x.device))
        return Halfway(x, lengths, layout.prefix, self.prefix_after)

    def onward(self, half: Halfway, *, tap: Tap | None = None, memory: StreamTensors | None = None) -> EncoderOutput:
        """Apply the remaining layers; `until` followed by `onward` equals `forward`."""
        layout = SequenceLayout.build(half.prefix, half.x.shape[1] - half.prefix, None, half.x.device)
        layers = range(half.layer + 1, len(self.layers) + 1)
        return self._leave(*self._pass(half.x, half.lengths, layout, layers, half.waiting, tap, memory))

    def _enter(
        self,
        features: Tensor,
        lengths: Tensor,
        chunk: ChunkSpec | None,
        prefix: Tensor | None,
        offset: Tensor | int,
        subsampled: bool,
    ) -> tuple[Tensor, Tensor, SequenceLayout, Tensor]:
        """Compute the input of the first layer, and prefix frames that enter at a higher layer."""
        with self._gradient(0):
            x, lengths = (features, lengths) if subsampled else self.subsampling(features, lengths)  # (batch, T', dim)
        prefix = self._check_prefix(prefix, x)
        layout = SequenceLayout.build(0, x.shape[1], chunk, x.device)
        x = self._embed(layout.with_copies(x), layout.times + offset, prefix.shape[1])  # (batch, T' + C * R, dim)
        prefix = self._embed_prefix(prefix).to(x.dtype).expand(x.shape[0], -1, -1)
        if self.prefix_after:
            return x, lengths, layout, prefix
        return *_join(prefix, x, lengths, layout), prefix

    def _pass(
        self,
        x: Tensor,
        lengths: Tensor,
        layout: SequenceLayout,
        layers: range,
        waiting: Tensor | None,
        tap: Tap | None,
        memory: StreamTensors | None,
    ) -> tuple[Tensor, Tensor, SequenceLayout]:
        mask, valid = layout.attention_mask(lengths), layout.valid(lengths)  # (batch, 1, N, N), (batch, N)
        for number in layers:
            with self._gradient(number):
                x = self.layers[number - 1](x, mask, layout, valid, memory)
            if number == self.prefix_after and waiting is not None:
                x, lengths, layout = _join(waiting, x, lengths, layout)
                mask, valid = layout.attention_mask(lengths), layout.valid(lengths)
            if number == self.reduce_after:
                x, lengths, layout = self._reduce(x, lengths, layout, valid)
                mask, valid = layout.attention_mask(lengths), layout.valid(lengths)
            if tap is not None:
                x = tap(number, x)
        return x, lengths, layout

    def _leave(self, x: Tensor, lengths: Tensor, layout: SequenceLayout) -> EncoderOutput:
        x = self.norm(x)
        start = layout.prefix
        return EncoderOutput(x[:, start : start + layout.frames], lengths, x[:, :start])

    def _gradient(self, number: int) -> torch.autograd.grad_mode.set_grad_enabled:
        """Context manager: enable gradients for layer `number` (0: the subsampling) unless it is frozen."""
        frozen = self.frozen > 0 and number <= self.frozen
        return torch.set_grad_enabled(torch.is_grad_enabled() and not frozen)

    def _reduce(
        self, x: Tensor, lengths: Tensor, layout: SequenceLayout, valid: Tensor
    ) -> tuple[Tensor, Tensor, SequenceLayout]:
        assert self.reduction is not None
        x = x * valid[..., None]
        end = layout.prefix + layout.frames
        if layout.frames % 2:
            x = torch.cat([x[:, :end], torch.zeros_like(x[:, :1]), x[:, end:]], dim=1)  # (batch, N + 1, dim)
        return self.reduction(x), (lengths + 1) // 2, layout.halved()


class Encoder(WholeEncoder):
    """Base class of encoders, for whole utterances and for live streams processed chunk by chunk."""

    def init_state(
        self,
        batch: int,
        chunk: ChunkSpec,
        *,
        prefix: Tensor | None = None,
        tap: Tap | None = None,
        memory: StreamTensors | None = None,
    ) -> EncoderState:
        """Return the initial state of `batch` streams that start with `prefix (batch, P, dim)`."""
        weight = self.norm.weight  # exists in any precision, unlike the weights of linear layers
        waiting = self._check_prefix(prefix, weight.new_zeros(batch, 0))
        waiting = self._embed_prefix(waiting).expand(batch, -1, -1)  # (batch, P, dim)
        x = waiting[:, :0] if self.prefix_after else waiting
        left, states = chunk.left_context, []
        for number, layer in enumerate(self.layers, start=1):
            x, state = layer.begin(x, left, memory)  # type: ignore[operator]
            states.append(state)
            if number == self.prefix_after:
                x = waiting
            if number == self.reduce_after and self.reduction is not None:
                x, left = self.reduction(x), reduced(chunk, 2).left_context
            if tap is not None:
                x = tap(number, x)
        bins = self._bins()
        pending = weight.new_zeros(batch, self.subsampling.left, bins)
        zero = torch.zeros(batch, dtype=torch.int64, device=weight.device)
        return EncoderState(pending, zero, zero.clone(), self.norm(x), tuple(states))

    def _bins(self) -> int:
        raise NotImplementedError

    def step(
        self,
        features: Tensor,
        state: EncoderState,
        chunk: ChunkSpec,
        *,
        tap: Tap | None = None,
        memory: StreamTensors | None = None,
    ) -> tuple[Tensor, EncoderState]:
        """Process `features (batch, t, bins)`, any `t`, and encode every complete chunk.

        Returns:
            `(batch, t', dim)` frames, `t'` a multiple of the chunk's output size (possibly 0), and the next state.
        """
        state = state._replace(
            pending=torch.cat([state.pending, features.to(state.pending.dtype)], dim=1),
            received=state.received + features.shape[1],
        )
        needed = self.subsampling.span(chunk.size + chunk.right_context)
        outputs = [state.prefix[:, :0]]
        while state.pending.shape[1] >= needed:
            x, state = self._chunk(state, chunk, None, tap, memory)
            outputs.append(x)
        return torch.cat(outputs, dim=1), state

    def finish(
        self, state: EncoderState, chunk: ChunkSpec, *, tap: Tap | None = None, memory: StreamTensors | None = None
    ) -> Tensor:
        """Encode the pending frames `(batch, t', dim)` at the end of streams, which must all be at the same point."""
        total = state.received
        remaining = int((self.subsampling.output_lengths(total) - state.done).max())
        outputs = [state.prefix[:, :0]]
        while remaining > 0:
            x, state = self._chunk(state, chunk, total, tap, memory)
            keep = min(remaining, chunk.size)
            outputs.append(x[:, : -(-keep // 2) if self.reduction is not None else keep])
            remaining -= chunk.size
        return torch.cat(outputs, dim=1)

    def _chunk(
        self, state: EncoderState, chunk: ChunkSpec, total: Tensor | None, tap: Tap | None, memory: StreamTensors | None
    ) -> tuple[Tensor, EncoderState]:
        """Encode one chunk. `total (batch,)`: feature frames of each stream, `UNKNOWN_END` if open; None: all open."""
        size, factor = chunk.size + chunk.right_context, self.subsampling.factor
        window = state.pending[:, : self.subsampling.span(size)]  # (batch, span, bins)
        window = nn.functional.pad(window, (0, 0, 0, self.subsampling.span(size) - window.shape[1]))
        end = torch.full_like(state.done, UNKNOWN_END) if total is None else total
        x = self.subsampling.window(window, state.done * factor - self.subsampling.left, end)  # (batch, size, dim)
        times = state.done[:, None] + torch.arange(size, device=x.device)  # (batch, size)
        prefix = state.prefix.shape[1] * (2 if self.reduction is not None else 1)
        x = self._embed(x, times, prefix)
        valid = None if total is None else times < self.subsampling.output_lengths(total.clamp(max=1 << 40))[:, None]
        states, commit = [], chunk.size
        for number, (layer, layer_state) in enumerate(zip(self.layers, state.layers, strict=True), start=1):
            x, layer_state = layer.step(x, layer_state, valid, commit, memory)  # type: ignore[operator]
            states.append(layer_state)
            if number == self.reduce_after and self.reduction is not None:
                x = self.reduction(x if valid is None else x * valid[..., None])
                valid, commit = None if valid is None else valid[:, ::2], commit // 2
            if tap is not None:
                x = tap(number, x)
        next_state = state._replace(
            pending=state.pending[:, factor * chunk.size :], done=state.done + chunk.size, layers=tuple(states)
        )
        return self.norm(x[:, :commit]), next_state
