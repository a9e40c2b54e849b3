"""CTC model as static tensor graphs for runtimes without Python: whole utterances, one live chunk, whole recordings.

The graphs run the model's own layers with its weights. Decisions that layers make in Python, depending on the data,
are fixed here: utterances have no padding, and caches always have full size, with a mask.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speech.audio.log_mel import Log, LogMel
from speech.chunking import ChunkSpec
from speech.errors import ConfigError
from speech.models.owsm_ctc import OwsmCtc
from speech.nn.attention import MultiHeadAttention
from speech.nn.encoder.base import Encoder, EncoderState, Tap
from speech.nn.encoder.e_branchformer import EBranchformerLayer, EBranchformerState
from speech.nn.encoder.masks import SequenceLayout, reduced
from speech.nn.encoder.positions import SinusoidalPositions
from speech.nn.encoder.subsampling import Subsampling
from speech.nn.linears import shared_copy

PREFIX = 2
"""Number of prefix tokens before the audio: language and task."""


class OfflineGraph(nn.Module):
    """Graph for whole utterances of equal length, without prompt."""

    def __init__(self, model: OwsmCtc) -> None:
        super().__init__()
        self.model = model
        self.encoder = portable_copy(model.encoder, {})
        self.memory = _silence(model)

    @property
    def shortest(self) -> int:
        """Minimum number of feature frames of an utterance."""
        subsampling = self.model.encoder.subsampling
        return subsampling.span(1) - subsampling.left

    @torch.enable_grad()  # makes the subsampling a convolution, which accepts any length
    def forward(self, features: Tensor, prefix: Tensor) -> tuple[Tensor, ...]:
        """Log-probabilities of tokens, and of languages if the model has them.

        Args:
            features: `(batch, T, bins)` log-mel, T at least `shortest`.
            prefix: `(batch, 2)` ids of language (or `<nolang>`) and task.

        Returns:
            `(batch, T', vocabulary)`, with prefix frames first if `target_prefix`, and `(batch, T', languages)`
            without prefix frames.
        """
        model, encoder = self.model, self.encoder
        front = encoder._embed_prefix(model.prefix(prefix))
        x = subsampled(encoder.subsampling, model.normalise(features))
        x = torch.cat([front, encoder._embed(x, torch.arange(x.shape[1]), PREFIX)], dim=1)
        x = through_layers(encoder, x, self.memory, model._tap([]))
        audio = x[:, prefix_frames(model) :]
        return _read(model, x if model.config.target_prefix else audio, audio)


class PortablePositions(nn.Module):
    """Unbounded sinusoidal positions without float64 sine and cosine, which runtimes lack: angles are reduced modulo
    full turns.

    Args:
        positions: original positions, without a period.
    """

    rates: Tensor

    def __init__(self, positions: SinusoidalPositions) -> None:
        super().__init__()
        self.interleaved = positions.interleaved
        self.register_buffer("rates", positions.rates / (2 * math.pi), persistent=False)

    def forward(self, index: Tensor) -> Tensor:
        """Embed integers `index (...)` as `(..., dim)` float32."""
        turns = index.double()[..., None] * self.rates
        angle = (turns - turns.floor()).float() * (2 * math.pi)
        both = torch.stack([angle.sin(), angle.cos()], dim=-1 if self.interleaved else -2)
        return both.flatten(-2)


class FixedCache(NamedTuple):
    """Attention cache of full size from the start."""

    seen: Tensor
    """Keys and values `(batch, 2, heads, prefix + left, dim / heads)` of prefix and past, newest last."""
    past: Tensor
    """Number of past frames so far `(batch,)`; if below `left`, the oldest positions are unused."""


class FixedAttention(nn.Module):
    """Attention with a `FixedCache` and the original weights.

    Args:
        attention: original attention.
        prefix: number of prefix frames.
        left: number of past frames.
    """

    def __init__(self, attention: MultiHeadAttention, prefix: int, left: int) -> None:
        super().__init__()
        self.attention = attention
        self.prefix = prefix
        self.left = left

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        return self.attention(x, mask)

    def begin(self, prefix: Tensor, left_context: int) -> FixedCache:
        """Initial cache with only `prefix (batch, P, dim)`."""
        seen = F.pad(torch.stack(self.attention.project(prefix), dim=1), (0, 0, 0, left_context))
        return FixedCache(seen, torch.zeros(len(prefix), dtype=torch.int64))

    def step(self, x: Tensor, cache: FixedCache, valid: Tensor | None, commit: int) -> tuple[Tensor, FixedCache]:
        """See `MultiHeadAttention.step`."""
        new = torch.stack(self.attention.project(x), dim=1)
        seen = torch.cat([cache.seen, new], dim=3)
        size = x.shape[1]
        filled = torch.arange(self.left) >= self.left - cache.past[:, None]
        before = F.pad(filled, (self.prefix, 0), value=True)[:, None].expand(-1, size, -1)
        assert valid is not None  # a graph always receives the stream length
        place = torch.arange(size)
        own = valid[:, None] | (place[:, None] == place)
        mask = torch.cat([before, own], dim=2)[:, None]
        y = self.attention.attend(x, seen[:, 0], seen[:, 1], mask)
        past = torch.cat([cache.seen[:, :, :, self.prefix :], new[:, :, :, :commit]], dim=3)
        kept = torch.cat([cache.seen[:, :, :, : self.prefix], past[:, :, :, commit:]], dim=3)
        return y, FixedCache(kept, cache.past + commit)


class StreamingGraph(nn.Module):
    """Graph for one chunk of live streams.

    Its input is a window of `window` feature frames that starts `lead` frames before the chunk and advances by
    `shift` frames per chunk. Frames before the first one may have any values.

    Raises:
        ConfigError: if there is no left context, or the model cannot halve the chunk.
    """

    def __init__(self, model: OwsmCtc, chunk: ChunkSpec) -> None:
        super().__init__()
        if model.encoder.reduction is not None:
            reduced(chunk, 2)
        if chunk.left_context < 1:
            raise ConfigError("a live graph without left context", fix="Give at least one frame of it.")
        self.model = model
        self.chunk = chunk
        self.memory = _silence(model)
        fixed: dict[int, nn.Module] = {}
        for number, layer in enumerate(model.encoder.layers, start=1):
            rate = 2 if 0 < model.encoder.reduce_after < number else 1
            attention: Any = layer.attention
            fixed[id(attention)] = FixedAttention(attention, PREFIX // rate, chunk.left_context // rate)
        self.encoder = portable_copy(model.encoder, fixed)
        subsampling = self.encoder.subsampling
        self.window = subsampling.span(chunk.size + chunk.right_context)
        self.shift = subsampling.factor * chunk.size
        self.lead = subsampling.left

    @torch.no_grad()
    def initial(self, prefix: Tensor) -> dict[str, Tensor]:
        """Initial state of streams with `prefix (batch, 2)`: `done (batch,)` encoder frames, and caches."""
        tap = self.model._tap([])
        state = self.encoder.init_state(
            len(prefix), self.chunk, prefix=self.model.prefix(prefix), tap=tap, memory=self.memory
        )
        return {"done": state.done, **dict(_named(state.layers))}

    @torch.enable_grad()  # makes the subsampling a convolution
    def forward(self, features: Tensor, total: Tensor, done: Tensor, *caches: Tensor) -> tuple[Tensor, ...]:
        """Log-probabilities of the chunk's frames, and the next state.

        Args:
            features: `(batch, window, bins)` log-mel; frames beyond `total` are ignored.
            total: `(batch,)` feature frames of the whole stream; 1 << 60 until its end is known.
            done, caches: named as in `initial`.

        Returns:
            Tokens `(batch, n, vocabulary)`, languages `(batch, n, languages)` if the model has them, the number of
            frames within the stream `(batch,)`, and the next `done` and caches.
        """
        encoder = self.encoder
        state = EncoderState(
            self.model.normalise(features),
            done,
            done,
            features.new_zeros(1, prefix_frames(self.model), 0),
            tuple(_gathered(list(encoder.layers), caches, done, encoder.reduce_after)),
        )
        x, following = encoder._chunk(state, self.chunk, total, self.model._tap([]), self.memory)
        frames = (encoder.subsampling.output_lengths(total.clamp(max=1 << 40)) - done).clamp(0, self.chunk.size)
        if encoder.reduction is not None:
            frames = (frames + 1) // 2
        return *_read(self.model, x, x), frames, following.done, *(cache for _, cache in _named(following.layers))


class WaveformGraph(nn.Module):
    """Graph for whole recordings with a fixed prefix, log-mel included; it emits only blank and text tokens.

    Args:
        model: the model.
        prefix: ids of language and task.
        loudness: root mean square to normalise recordings to, if the caller has lost their level; None: unchanged.
        repeat: number of times that each output frame is repeated.
    """

    prefix: Tensor
    special: Tensor

    def __init__(self, model: OwsmCtc, prefix: tuple[int, int], loudness: float | None, repeat: int) -> None:
        super().__init__()
        self.offline = OfflineGraph(model)
        self.log_mel = ConvolvedLogMel(model.log_mel)
        self.loudness = loudness
        self.repeat = repeat
        self.register_buffer("prefix", torch.tensor([prefix]))
        self.register_buffer("special", _special(model))

    @torch.enable_grad()
    def forward(self, samples: Tensor) -> Tensor:
        """Convert `samples (1, N)` at 16 kHz, at least 0.1 s, to log-probabilities `(1, T', vocabulary)`."""
        if self.loudness is not None:
            power = samples.square().mean(dim=1, keepdim=True)
            samples = samples * self.loudness * torch.rsqrt(power + 1e-10)
        log_probs = self.offline(self.log_mel(samples), self.prefix)[0]
        if self.offline.model.config.target_prefix:
            log_probs = log_probs[:, prefix_frames(self.offline.model) :]
        return (log_probs + self.special).repeat_interleave(self.repeat, dim=1)


class ConvolvedLogMel(nn.Module):
    """`LogMel.forward` for one recording of any length, with the Fourier transform as a convolution."""

    kernels: Tensor

    def __init__(self, log_mel: LogMel) -> None:
        super().__init__()
        self.log_mel = log_mel
        size = log_mel.config.n_fft
        turns = torch.arange(size // 2 + 1)[:, None] * torch.arange(size) % size
        angles = turns.double() * (2 * math.pi / size)
        waves = torch.cat([angles.cos(), angles.sin()]) * log_mel.window.double().cpu()
        self.register_buffer("kernels", waves.float()[:, None], persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        """Convert `(1, N)`, N more than half a window, to log-mel `(1, T, n_mels)`."""
        config, pad = self.log_mel.config, self.log_mel.pad
        padded = F.pad(samples[:, None], (pad, pad), mode="reflect")
        real, imaginary = F.conv1d(padded, self.kernels, stride=config.hop_length).chunk(2, dim=1)
        power = (real.square() + imaginary.square()).transpose(1, 2)
        if config.drop_last:
            power = power[:, :-1]
        mel = (power @ self.log_mel.filters).clamp(min=config.floor)
        logs = mel.log() if config.log == Log.ln else mel.log() / math.log(10.0)
        if config.dynamic_range is not None:
            logs = torch.maximum(logs, logs.amax(dim=(1, 2), keepdim=True) - config.dynamic_range)
        return (logs + 4.0) / 4.0 if config.whisper_scale else logs


def prefix_frames(model: OwsmCtc) -> int:
    """Number of output frames of the prefix."""
    return PREFIX // (2 if model.encoder.reduction is not None else 1)


def portable_copy(encoder: Encoder, replaced: Mapping[int, nn.Module]) -> Any:
    """Copy an encoder with portable positions, and with modules replaced by `id`; weights are shared."""
    positions = encoder.positions
    portable = {id(positions): PortablePositions(positions)} if positions.period is None else {}
    return shared_copy(encoder, {**portable, **replaced})


def subsampled(subsampling: Subsampling, x: Tensor) -> Tensor:
    """Subsample `(batch, T, bins)` without padding, for any T, to `(batch, T', dim)`."""
    total = torch._shape_as_tensor(x)[1:2]  # a tensor in the graph, not the constant length of the example
    padded = F.pad(x, (0, 0, subsampling.left, subsampling.right))
    frames = subsampling.output_lengths(total)
    return subsampling.window(padded, torch.full_like(total, -subsampling.left), total)[:, : frames[0]]


def through_layers(encoder: Any, x: Tensor, memory: Any, tap: Tap | None) -> Tensor:
    """Run the layers on `x (batch, N, dim)` with positions and without padding, including the final norm."""
    everything, valid = SequenceLayout.build(0, 0, None, torch.device("cpu")), torch.ones(1, 1)
    for number, layer in enumerate(encoder.layers, start=1):
        x = layer(x, None, everything, valid, memory)
        if number == encoder.reduce_after and encoder.reduction is not None:
            even = (x.shape[1] + 1) // 2 * 2
            x = encoder.reduction(F.pad(x, (0, 0, 0, 1))[:, :even])
        if tap is not None:
            x = tap(number, x)
    return encoder.norm(x)


def _silence(model: OwsmCtc) -> Any:
    with torch.no_grad():
        return model.memory(None, 1)


def _special(model: OwsmCtc) -> Tensor:
    vocabulary = model.vocabulary
    answered = [n == vocabulary.blank or not vocabulary.is_special(n) for n in range(len(vocabulary))]
    return torch.tensor([0.0 if yes else -1e4 for yes in answered])


def _read(model: OwsmCtc, x: Tensor, audio: Tensor) -> tuple[Tensor, ...]:
    tokens = model.ctc(x)
    if model.language is None:
        return (tokens,)
    return tokens, torch.log_softmax(model.language(audio).float(), dim=-1)


def _named(layers: tuple[Any, ...]) -> Iterator[tuple[str, Tensor]]:
    """Name and tensor of each cache, layer by layer."""
    for number, state in enumerate(layers, start=1):
        if isinstance(state, FixedCache):
            yield f"attention_{number}", state.seen
            continue
        for name, part in state._asdict().items():
            yield f"{name}_{number}", part.seen if isinstance(part, FixedCache) else part


def _gathered(
    layers: list[nn.Module], caches: tuple[Tensor, ...], done: Tensor, reduce_after: int
) -> Iterator[FixedCache | EBranchformerState]:
    """Rebuild the layers' states from tensors in the order of `_named`."""
    rest = iter(caches)
    for number, layer in enumerate(layers, start=1):
        cache: Any = FixedCache(next(rest), done // 2 if 0 < reduce_after < number else done)
        yield EBranchformerState(cache, next(rest), next(rest)) if isinstance(layer, EBranchformerLayer) else cache
