"""Who sees whom: one description of visibility for training (whole sequences) and live use (chunks).

A sequence is laid out as `[prefix | frames | copies]`. Copies are the right-context frames of each chunk, computed
again inside their chunk: nothing computed from the future enters what a chunk remembers, so a chunk can be answered
as soon as its right context has arrived (Emformer, Shi et al. 2021, section 2.2, "right context hard copy").
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from speech.chunking import ChunkSpec
from speech.errors import ConfigError


def padding_mask(lengths: Tensor, size: int) -> Tensor:
    """True where a frame is real: `(batch, size)` from `lengths (batch,)`."""
    return torch.arange(size, device=lengths.device)[None, :] < lengths[:, None]


def reduced(chunk: ChunkSpec, factor: int) -> ChunkSpec:
    """The same chunk in frames that are `factor` times longer.

    Raises:
        ConfigError: if a number of frames is not a multiple of `factor`.
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
    """Positions of a sequence `[prefix P | frames T | copies C * R]` of length `N`."""

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
        """The same frames with so many prefix frames in front."""
        return SequenceLayout.build(prefix, self.frames, self.chunk, self.times.device)

    def halved(self) -> SequenceLayout:
        """Two neighbouring positions are one; an odd last frame stays.

        Raises:
            ConfigError: if a chunk is not a multiple of two frames.
        """
        chunk = None if self.chunk is None else reduced(self.chunk, 2)
        return SequenceLayout.build(self.prefix // 2, (self.frames + 1) // 2, chunk, self.times.device)

    def with_copies(self, x: Tensor) -> Tensor:
        """`(batch, T, dim)` frames to `(batch, T + C * R, dim)`; copies beyond the end are zero."""
        index = self.times[self.prefix + self.frames :]  # (C * R,)
        if not len(index):
            return x
        padded = torch.nn.functional.pad(x, (0, 0, 0, int(index.max()) + 1 - x.shape[1])) if len(index) else x
        return torch.cat([x, padded[:, index]], dim=1)

    def valid(self, lengths: Tensor) -> Tensor:
        """True where a position is real: `(batch, N)`."""
        return self.times[None, :] < lengths[:, None]

    def attention_mask(self, lengths: Tensor) -> Tensor | None:
        """True where a query (row) may see a key (column): `(batch, 1, N, N)`; None where all see all."""
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
        """How a convolution may look at a chunked layout: every chunk as its own window.

        Returns:
            `inputs (windows, left + width)`: for each place the position in `[0, N)`, or -1 for zero.
            `outputs (N,)`: where each position's result stands in the flattened `(windows * width)`.
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
        first = torch.where((offsets >= 0) & (offsets < self.prefix), offsets, -1)  # that of the prefix
        inputs = torch.cat([first[None], inputs])
        within = torch.where(self.chunks < 0, self.times + self.prefix, self.times - self.chunks * chunk.size)
        outputs = (self.chunks + 1) * width + within
        return inputs, outputs
