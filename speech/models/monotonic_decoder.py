"""A label decoder under a policy network, as EMMA trains it.

The decoder's own layers are used. In training, the cross-attention of each layer and head is replaced by its
expectation over where the policy network would write a token (Ma et al. 2023, arXiv 2312.04515).

The network decides once for each group of frames, and a group is complete with its last frame. So the expected
alignment, `(n, groups)`, is placed on the last frames of the groups, and the attention scores stay those of single
frames: a token that is written at a group attends to exactly the frames up to the group's end, as at inference, and one
that is written at the last group has the attention of the offline decoder. Pooled scores would give neither.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from speech.nn.attention import MultiHeadAttention
from speech.nn.decoder.label import DecoderLayer, LabelDecoder
from speech.nn.encoder.masks import padding_mask
from speech.nn.policy_network import PolicyKeys, PolicyNetwork
from speech.translate.emma import expected_alignment, infinite_lookback_attention

_LEAST = 40.0
"""Scores further below the highest one of their row are raised to it: e^-40 adds nothing to the attention, and the
gradient of the expectation, which divides by squares of these weights, stays finite in float32."""


class Expected(NamedTuple):
    """Result of `MonotonicDecoder.forward`."""

    x: Tensor
    """`(batch, n, dim)`, for the decoder's `logits`."""
    alignment: Tensor
    """`(batch, layers, heads, n, groups)`: probability that the token after each place is written at each group of
    frames; rows sum to 1."""
    groups: Tensor
    """`(batch,)` real groups."""


class MonotonicDecoder(nn.Module):
    """A decoder and the policy network that decides when its tokens are written."""

    def __init__(self, decoder: LabelDecoder, network: PolicyNetwork) -> None:
        super().__init__()
        self.decoder, self.network = decoder, network

    def forward(self, tokens: Tensor, frames: Tensor, lengths: Tensor, first: Tensor) -> Expected:
        """Predict the next tokens with the expected attention.

        Args:
            tokens: `(batch, n)` prompt and text.
            frames: `(batch, T, dim)` of the encoder.
            lengths: `(batch,)` real frames, at least 1.
            first: `(batch,)` place of the prompt's last token, which predicts the text's first one. The prompt is read
                anew when that one is written, so it has the same alignment and hears nothing later.

        Raises:
            ConfigError: if the text exceeds the decoder's positions.
        """
        decoder, network = self.decoder, self.network
        state, keys, groups = decoder.begin(frames, lengths), network.begin(frames, lengths), network.groups(lengths)
        ends = group_ends(lengths, keys.real.shape[1], network.config.pooling)
        real = padding_mask(lengths, frames.shape[1])[:, None, None]  # (batch, 1, 1, T)
        x, causal = self._embedded(tokens)
        alignments = []
        for number, (layer, heard) in enumerate(zip(_layers(decoder), state.cross, strict=True)):
            x = _behind_attention(layer, x, causal)
            asked = layer.cross_norm(x)
            alpha = expected_alignment(decided(network(number, asked, keys), groups, first))  # float32
            alignments.append(alpha)
            on_frames = torch.zeros(*alpha.shape[:3], frames.shape[1], dtype=alpha.dtype, device=alpha.device)
            on_frames = on_frames.scatter_add(-1, ends[:, None, None].expand_as(alpha), alpha)
            scores = _scores(layer.cross, asked, heard.keys, real)
            beta = infinite_lookback_attention(on_frames, scores)  # (batch, heads, n, T)
            x = x + layer.cross.out((beta.to(heard.values) @ heard.values).transpose(1, 2).flatten(2))
            x = x + layer.feed_forward(layer.feed_forward_norm(x))
        return Expected(decoder.norm(x), torch.stack(alignments, dim=1), groups)

    def stepwise(self, tokens: Tensor, frames: Tensor, lengths: Tensor | None, keys: PolicyKeys) -> Tensor:
        """Probabilities `(batch, layers, heads, n, groups)` that the token after each place is written at each group,
        where cross-attention is the decoder's own, over all frames.

        Args:
            tokens: `(batch, n)` prompt and text.
            frames: `(batch, T, dim)` of the encoder.
            lengths: `(batch,)` real frames; None: all.
            keys: of the network, for the groups that are asked about.

        Raises:
            ConfigError: if the text exceeds the decoder's positions.
        """
        asked = self.decoder.asked(tokens, self.decoder.begin(frames, lengths))
        return self.network.stepwise(asked, keys)

    def _embedded(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Input of the first layer `(batch, n, dim)`, and the causal mask."""
        count = tokens.shape[1]
        self.decoder.config.check_length(count)
        causal = torch.ones(count, count, dtype=torch.bool, device=tokens.device).tril()[None, None]
        return self.decoder.embed(tokens) + self.decoder.positions[:count], causal


def decided(p: Tensor, groups: Tensor, first: Tensor) -> Tensor:
    """Stepwise probabilities `(batch, heads, n, J)` that hold at the ends of source and prompt.

    They are 1 at the last real group, where the rest is written: then rows of the alignment sum to 1, as
    `with_rest_at_end` makes them, also where `groups (batch,)` differ. Places up to `first (batch,)` are written where
    that place is.
    """
    places = torch.arange(p.shape[2], device=p.device)[None, None, :, None]
    first = first[:, None, None, None]
    text = p.gather(2, first.expand(-1, p.shape[1], 1, p.shape[3]))  # (batch, heads, 1, J)
    p = torch.where(places == 0, text, p.masked_fill((places > 0) & (places <= first), 1.0))
    last = torch.arange(p.shape[3], device=p.device) == groups[:, None] - 1  # (batch, J)
    return p.masked_fill(last[:, None, None], 1.0)


def group_ends(lengths: Tensor, groups: int, size: int) -> Tensor:
    """Last real frame, from 0, of each group `(batch, groups)` of `size` frames; of padding, that of the source."""
    ends = (torch.arange(groups, device=lengths.device) + 1) * size  # (groups,)
    return torch.minimum(ends[None], lengths[:, None]) - 1


def _layers(decoder: LabelDecoder) -> list[DecoderLayer]:
    return list(decoder.layers)  # type: ignore[arg-type]


def _behind_attention(layer: DecoderLayer, x: Tensor, causal: Tensor) -> Tensor:
    """`x (batch, n, dim)` behind the self-attention of a layer."""
    normed = layer.attention_norm(x)
    return x + layer.attention.attend(normed, *layer.attention.project(normed), causal)


def _scores(cross: MultiHeadAttention, asked: Tensor, keys: Tensor, real: Tensor) -> Tensor:
    """Scores of cross-attention, float32 `(batch, heads, n, T)`, -inf where a frame is padding."""
    queries = cross.query(asked).unflatten(-1, (cross.heads, -1)).transpose(1, 2)
    scores = (queries @ keys.transpose(2, 3)).float() * queries.shape[-1] ** -0.5
    scores = scores.masked_fill(~real, -torch.inf)
    least = scores.detach().amax(dim=-1, keepdim=True) - _LEAST
    return scores.maximum(least).masked_fill(~real, -torch.inf)
