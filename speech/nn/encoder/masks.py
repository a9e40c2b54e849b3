"""Attention masks and sequence layout for full-context and chunked encoding of whole sequences.

A sequence is laid out as `[prefix | frames | copies]`. Copies are the right-context frames of each chunk, recomputed
within their chunk. So the cached frames of a chunk do not depend on future frames, and a chunk can be encoded as soon
as its right context has arrived (Emformer, Shi et al. 2021, section 2.2, "right context hard copy").
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from speech.chunking import ChunkSpec
from speech.errors import ConfigError


def padding_mask(lengths: Tensor, size: int) -> Tensor:
    """Mask `(batch, size)` from `lengths (batch,)`: True where a frame is real."""
    return torch.arange(size, device=lengths.device)[None, :] < lengths[:, None]


def reduced(chunk: ChunkSpec, factor: int) -> ChunkSpec:
    """Return the chunk specification in frames that are `factor` times longer.

    Raises:
        ConfigError: if the size or a context is not a multiple of `factor`.
    """
    if chunk.size % factor or chunk.left_context % factor or chunk.right_context % factor:
        raise ConfigError(
            f"chunk {chunk} cannot be reduced in time by {factor}",
            fix=f"Choose size and contexts that are multiples of {factor} frames.",
        )
    return ChunkSpec(
        size=chunk.size // factor,
        left_context=chunk.left_context // factor,
        right_context=chunk.right_context // factor,
    )


@dataclass(frozen=True)
class SequenceLayout:
    """Layout of a sequence `[prefix P | frames T | copies C * R]` of length `N`."""

    prefix: int
    frames: int
    chunk: ChunkSpec | None
    times: Tensor
    """(N,) frame time; negative in the prefix (-P .. -1)."""
    chunks: Tensor
    """(N,) chunk number; -1 in the prefix."""
    is_copy: Tensor
    """(N,) True for copies."""

    @classmethod
    def build(cls, prefix: int, frames: int, chunk: ChunkSpec | None, device: torch.device) -> SequenceLayout:
        main = torch.arange(frames, device=device)
        times = [torch.arange(-prefix, 0, device=device), main]
        if chunk is None:
            chunks = [torch.full((prefix,), -1, device=device), torch.zeros_like(main)]
        else:
            chunks = [torch.full((prefix,), -1, device=device), main // chunk.size]
            if chunk.right_context:
                number = torch.arange(-(-frames // chunk.size), device=device)
                ahead = torch.arange(chunk.right_context, device=device)
                times.append(((number[:, None] + 1) * chunk.size + ahead).flatten())  # (C * R,)
                chunks.append(number.repeat_interleave(chunk.right_context))
        time = torch.cat(times)  # (N,)
        is_copy = torch.arange(len(time), device=device) >= prefix + frames
        return cls(prefix, frames, chunk, time, torch.cat(chunks), is_copy)

    def behind(self, prefix: int) -> SequenceLayout:
        """Return the layout of the same frames after `prefix` prefix frames."""
        return SequenceLayout.build(prefix, self.frames, self.chunk, self.times.device)

    def halved(self) -> SequenceLayout:
        """Return the layout after merging pairs of positions; an odd last frame is kept.

        Raises:
            ConfigError: if the chunk size or a context is odd.
        """
        chunk = None if self.chunk is None else reduced(self.chunk, 2)
        return SequenceLayout.build(self.prefix // 2, (self.frames + 1) // 2, chunk, self.times.device)

    def with_copies(self, x: Tensor) -> Tensor:
        """Append the copies to frames `(batch, T, dim)`: `(batch, T + C * R, dim)`; copies beyond the end are zero."""
        index = self.times[self.prefix + self.frames :]  # (C * R,)
        if not len(index):
            return x
        padded = torch.nn.functional.pad(x, (0, 0, 0, int(index.max()) + 1 - x.shape[1])) if len(index) else x
        return torch.cat([x, padded[:, index]], dim=1)

    def valid(self, lengths: Tensor) -> Tensor:
        """Mask `(batch, N)`: True where a position is real."""
        return self.times[None, :] < lengths[:, None]

    def attention_mask(self, lengths: Tensor) -> Tensor | None:
        """Mask `(batch, 1, N, N)`: True where a query (row) may see a key (column); None if all see all."""
        valid = self.valid(lengths)
        if self.chunk is None:
            if bool(valid.all()):
                return None
            visible = torch.ones(len(self.times), len(self.times), dtype=torch.bool, device=valid.device)
        else:
            visible = self._chunk_visibility(self.chunk)  # (N, N)
        eye = torch.eye(len(self.times), dtype=torch.bool, device=valid.device)
        return ((visible & valid[:, None, :]) | eye)[:, None]  # (batch, 1, N, N)

    def _chunk_visibility(self, chunk: ChunkSpec) -> Tensor:
        query, key = self.chunks[:, None], self.chunks[None, :]  # (N, 1), (1, N)
        start = query * chunk.size
        past_and_own = (self.times >= start - chunk.left_context) & (self.times < start + chunk.size)  # (N, N)
        main = past_and_own & ~self.is_copy & (key >= 0)
        copies = self.is_copy[None, :] & (key == query)
        from_audio = (query >= 0) & ((key < 0) | main | copies)
        return from_audio | ((query < 0) & (key < 0))

    def windows(self, left: int) -> tuple[Tensor, Tensor]:
        """Windows for convolutions over a chunked layout: one per chunk, after one for the prefix.

        Returns:
            `inputs (windows, left + width)`: position in `[0, N)` of each window element, or -1 for zero.
            `outputs (N,)`: index of each position's result in the flattened `(windows * width)`.
        """
        chunk = self.chunk
        assert chunk is not None
        count = -(-self.frames // chunk.size)
        width = max(chunk.size + chunk.right_context, self.prefix)
        device = self.times.device
        offsets = torch.arange(-left, width, device=device)
        number = torch.arange(count, device=device)[:, None]
        time = number * chunk.size + offsets  # (windows, left + width)
        own = offsets < chunk.size
        main = torch.where((time < self.frames) & (time >= -self.prefix), time + self.prefix, -1)
        ahead = (offsets >= chunk.size) & (offsets < chunk.size + chunk.right_context)
        copy = self.prefix + self.frames + number * chunk.right_context + offsets - chunk.size
        inputs = torch.where(own, main, torch.where(ahead, copy, -1))
        first = torch.where((offsets >= 0) & (offsets < self.prefix), offsets, -1)  # window of the prefix
        inputs = torch.cat([first[None], inputs])
        within = torch.where(self.chunks < 0, self.times + self.prefix, self.times - self.chunks * chunk.size)
        outputs = (self.chunks + 1) * width + within
        return inputs, outputs
