"""A Transformer label decoder (Radford et al. 2022) that predicts the next token from previous tokens and frames.

`forward` over whole texts and `step` token by token give equal logits (float32: 1e-4). The state is an argument and a
result. Its rows, the hypotheses of a search, can be reordered and duplicated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speech.errors import ConfigError
from speech.nn.attention import MultiHeadAttention
from speech.nn.encoder.masks import padding_mask
from speech.nn.feed_forward import FeedForward
from speech.nn.tied_embedding import TiedEmbedding
from speech.ranges import check, ranged


@dataclass(kw_only=True, slots=True)
class LabelDecoderConfig:
    """Shape of a label decoder; the defaults are Whisper-base."""

    vocabulary: int = ranged(51_865, least=1)
    """Vocabulary size."""
    dim: int = ranged(512, least=1)
    """Width."""
    layers: int = ranged(6, least=1)
    """Transformer layers."""
    heads: int = ranged(8, least=1)
    """Attention heads."""
    hidden: int = ranged(2048, least=1)
    """Width of the feed-forward network."""
    positions: int = ranged(448, least=1)
    """Maximum tokens of a text with its prompt."""

    def __post_init__(self) -> None:
        check(self, "model.decoder")
        if self.dim % self.heads:
            raise ConfigError(f"dim {self.dim}, heads {self.heads}", fix="dim must be a multiple of heads.")

    def check_length(self, tokens: int) -> None:
        """Raise ConfigError if `tokens`, prompt included, exceed the decoder's positions."""
        if tokens > self.positions:
            raise ConfigError(f"a text of {tokens} tokens; the decoder has {self.positions} positions")


class KeysValues(NamedTuple):
    """Keys and values of one layer, each `(rows, heads, places, dim / heads)`."""

    keys: Tensor
    values: Tensor


class DecoderState(NamedTuple):
    """State of a batch of utterances with equally many hypotheses each. Rows are sorted by utterance."""

    cross: tuple[KeysValues, ...]
    """Cross-attention keys and values of each layer, one row per utterance."""
    mask: Tensor | None
    """(utterances, 1, 1, T), True where a frame is real; None: all are."""
    past: tuple[KeysValues, ...]
    """Self-attention keys and values of each layer for the tokens so far, one row per hypothesis."""

    @property
    def length(self) -> int:
        """Tokens so far."""
        return self.past[0].keys.shape[2]

    def select(self, rows: Tensor) -> DecoderState:
        """Select hypotheses `rows (n,)`, which may repeat; equally many of each utterance, sorted by utterance."""
        past = tuple(KeysValues(kv.keys.index_select(0, rows), kv.values.index_select(0, rows)) for kv in self.past)
        return self._replace(past=past)


class Crossing(NamedTuple):
    """What cross-attention of a layer looks for."""

    asked: Tensor
    """`(rows, n, dim)`: its input."""
    queries: Tensor
    """`(utterances, heads, rows / utterances * n, dim / heads)`"""


class DecoderLayer(nn.Module):
    """Pre-norm: self-attention, cross-attention, feed-forward network."""

    def __init__(self, config: LabelDecoderConfig) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.dim)
        self.attention = MultiHeadAttention(config.dim, config.heads, key_bias=False)
        self.cross_norm = nn.LayerNorm(config.dim)
        self.cross = MultiHeadAttention(config.dim, config.heads, key_bias=False)
        self.feed_forward_norm = nn.LayerNorm(config.dim)
        self.feed_forward = FeedForward(config.dim, config.hidden, F.gelu)

    def forward(
        self, x: Tensor, past: KeysValues, causal: Tensor | None, frames: KeysValues, mask: Tensor | None
    ) -> tuple[Tensor, KeysValues, Crossing]:
        """Process `x (rows, n, dim)` after `past`; returns the output `(rows, n, dim)`, and the extended keys and
        values."""
        normed = self.attention_norm(x)
        keys, values = self.attention.project(normed)  # (rows, heads, n, dim / heads)
        if past.keys.shape[2]:
            keys, values = torch.cat([past.keys, keys], dim=2), torch.cat([past.values, values], dim=2)
        x = x + self.attention.attend(normed, keys, values, causal)  # (rows, n, dim)
        asked = self.cross_norm(x)
        attended, queries = self._across(asked, frames, mask)
        x = x + attended
        x = x + self.feed_forward(self.feed_forward_norm(x))
        return x, KeysValues(keys, values), Crossing(asked, queries)

    def _across(self, x: Tensor, frames: KeysValues, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Cross-attention. Hypotheses of an utterance share its frames, so they are processed as one longer text."""
        queries = self.cross.query(x).view(frames.keys.shape[0], -1, self.cross.heads, frames.keys.shape[3])
        queries = queries.transpose(1, 2)  # (utterances, heads, hypotheses * n, dim / heads)
        y = F.scaled_dot_product_attention(queries, *frames, attn_mask=mask)
        return self.cross.out(y.transpose(1, 2).reshape(x.shape)), queries  # (rows, n, dim)


class LabelDecoder(nn.Module):
    """Transformer label decoder; see the module's docstring."""

    def __init__(self, config: LabelDecoderConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = TiedEmbedding(config.vocabulary, config.dim)
        self.positions = nn.Parameter(torch.zeros(config.positions, config.dim))
        self.layers = nn.ModuleList([DecoderLayer(config) for _ in range(config.layers)])
        self.norm = nn.LayerNorm(config.dim)

    def begin(
        self, frames: Tensor, lengths: Tensor | None = None, before: DecoderState | None = None, kept: int = 0
    ) -> DecoderState:
        """Return the initial state of utterances.

        Args:
            frames: `(utterances, T, dim)`.
            lengths: `(utterances,)` are real; None: all.
            before: a state of the same utterances, which has the first `kept` frames already; None: there is none.
            kept: number of those frames.
        """
        new = tuple(KeysValues(*layer.cross.project(frames[:, kept:])) for layer in self._layers())
        cross = new if before is None else tuple(map(partial(_longer, kept), before.cross, new))
        mask = None
        if lengths is not None and bool((lengths < frames.shape[1]).any()):
            mask = padding_mask(lengths, frames.shape[1])[:, None, None]  # (utterances, 1, 1, T)
        past = tuple(KeysValues(kv.keys[:, :, :0], kv.values[:, :, :0]) for kv in cross)
        return DecoderState(cross, mask, past)

    def _layers(self) -> list[DecoderLayer]:
        return list(self.layers)  # type: ignore[arg-type]

    def step(
        self, tokens: Tensor, state: DecoderState, heads: Sequence[tuple[int, int]] = ()
    ) -> tuple[Tensor, DecoderState, Tensor | None]:
        """Process the next tokens.

        Args:
            tokens: `(rows, n)`, following those of the state; rows as in `DecoderState`.
            state: state after the previous tokens.
            heads: (layer, head) pairs whose cross-attention is returned.

        Returns:
            Outputs `(rows, n, dim)` for `logits`, the next state, and the cross-attention of `heads`,
            `(rows, heads, n, T)`, or None without `heads`.

        Raises:
            ConfigError: if the text exceeds the decoder's positions.
        """
        x, state, crossings = self._through(tokens, state)
        attention = None
        if heads:
            each = [
                head_attention(crossings[layer].queries[:, head], state.cross[layer].keys[:, head], state.mask)
                for layer, head in heads
            ]
            attention = torch.stack(each, dim=1).unflatten(2, (-1, tokens.shape[1]))
            attention = attention.transpose(1, 2).flatten(0, 1)  # (rows, heads, n, T)
        return self.norm(x), state, attention

    def asked(self, tokens: Tensor, state: DecoderState) -> Tensor:
        """Inputs of cross-attention for the next tokens, as a policy network reads them.

        Args:
            tokens, state: as for `step`.

        Returns:
            `(rows, layers, n, dim)`

        Raises:
            ConfigError: as `step`.
        """
        return torch.stack([crossing.asked for crossing in self._through(tokens, state)[2]], dim=1)

    def _through(self, tokens: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState, list[Crossing]]:
        """Output of the last layer `(rows, n, dim)` and the next state; arguments and errors of `step`."""
        past, count = state.length, tokens.shape[1]
        self.config.check_length(past + count)
        x = self.embed(tokens) + self.positions[past : past + count]  # (rows, n, dim)
        causal = _causal(past, count, x.device)
        states: list[KeysValues] = []
        crossings: list[Crossing] = []
        for layer, own, frames in zip(self._layers(), state.past, state.cross, strict=True):
            x, kept, crossing = layer(x, own, causal, frames, state.mask)
            states.append(kept)
            crossings.append(crossing)
        return x, state._replace(past=tuple(states)), crossings

    def logits(self, x: Tensor) -> Tensor:
        """Output of `step` `(..., dim)` to logits `(..., vocabulary)`."""
        return self.embed.logits(x)

    def forward(self, tokens: Tensor, frames: Tensor, lengths: Tensor | None = None) -> Tensor:
        """`tokens (batch, n)` and frames `(batch, T, dim)` to next-token logits `(batch, n, vocabulary)`."""
        return self.logits(self.step(tokens, self.begin(frames, lengths))[0])


def _longer(kept: int, before: KeysValues, new: KeysValues) -> KeysValues:
    """The first `kept` keys and values of `before`, and the new ones."""
    keys, values = (torch.cat([own[:, :, :kept], more], dim=2) for own, more in zip(before, new, strict=True))
    return KeysValues(keys, values)


def _causal(past: int, count: int, device: torch.device) -> Tensor | None:
    """Causal mask `(1, 1, count, past + count)`: each token sees itself and earlier ones; None for one token."""
    if count == 1:
        return None
    return torch.ones(count, past + count, dtype=torch.bool, device=device).tril(past)[None, None]


def head_attention(queries: Tensor, keys: Tensor, mask: Tensor | None) -> Tensor:
    """Attention weights of one head: `(utterances, n, d)` and `(utterances, T, d)` to `(utterances, n, T)`."""
    scores = queries @ keys.transpose(1, 2) * queries.shape[-1] ** -0.5  # (utterances, n, T)
    if mask is not None:
        scores = scores.masked_fill(~mask[:, 0], -torch.inf)
    return scores.float().softmax(dim=-1)
