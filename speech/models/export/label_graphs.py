"""Label model as two stateless graphs: recording to cross-attention keys and values; tokens to next-token logits.

The graphs run the model's own layers with its weights, for one utterance and any number of hypotheses.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from speech.models.export.ctc_graphs import ConvolvedLogMel, portable_copy, subsampled, through_layers
from speech.models.whisper import Whisper
from speech.nn.decoder.label import DecoderLayer, KeysValues, head_attention

PAIR = ("keys", "values")


class LabelEncoderGraph(nn.Module):
    """Encoder graph for one recording, log-mel included."""

    def __init__(self, model: Whisper) -> None:
        super().__init__()
        self.log_mel = ConvolvedLogMel(model.log_mel)
        self.encoder = portable_copy(model.encoder, {})
        self.layers = model.decoder.layers

    @torch.enable_grad()  # makes the subsampling a convolution, which accepts any length
    def forward(self, samples: Tensor) -> tuple[Tensor, ...]:
        """Encode `samples (1, N)` at 16 kHz, N more than half a log-mel window, to frames `(1, T, dim)`, and keys and
        values `(1, heads, T, dim / heads)` for each decoder layer."""
        encoder = self.encoder
        x = subsampled(encoder.subsampling, self.log_mel(samples))
        x = through_layers(encoder, encoder._embed(x, torch.arange(x.shape[1]), 0), None, None)
        return x, *(tensor for layer in self.layers for tensor in layer.cross.project(x))  # type: ignore[operator, union-attr]


class LabelDecoderGraph(nn.Module):
    """Decoder graph for the prompt or a step: both process tokens after those in the cache."""

    columns: Tensor

    def __init__(self, model: Whisper) -> None:
        super().__init__()
        self.decoder = model.decoder
        # Stored as columns: rows would be stored twice, the second time for the logits product.
        self.register_buffer("columns", model.decoder.embed.weight.detach().t().contiguous())
        self.heads = list(model.alignment_heads)

    def forward(self, tokens: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        """Logits after the last token.

        Args:
            tokens: `(rows, n)`, n at least 1.
            states: cached keys and values `(rows, heads, p, dim / heads)` per layer, then cross-attention keys and
                values.

        Returns:
            Logits `(rows, vocabulary)`, the next cache, and the attention `(rows, heads, n, T)` of the alignment
            heads if the model has any.
        """
        decoder, pairs = self.decoder, [KeysValues(*states[at : at + 2]) for at in range(0, len(states), 2)]
        layers: list[DecoderLayer] = list(decoder.layers)  # type: ignore[arg-type]
        past, cross = pairs[: len(layers)], pairs[len(layers) :]
        before, count = past[0].keys.shape[2], tokens.shape[1]
        places = torch.arange(count) + before
        causal = (torch.arange(before + count) <= places[:, None])[None, None]
        embedded = self.columns.index_select(1, tokens.flatten()).t().reshape(*tokens.shape, -1)
        x = embedded + decoder.positions[places]
        following: list[Tensor] = []
        attention: dict[tuple[int, int], Tensor] = {}
        for number, (layer, own, frames) in enumerate(zip(layers, past, cross, strict=True)):
            x, kept, crossing = layer(x, own, causal, frames, None)
            following += kept
            for head in {head for at, head in self.heads if at == number}:
                attention[number, head] = head_attention(crossing.queries[:, head], frames.keys[:, head], None)[0]
        logits = decoder.norm(x[:, -1]) @ self.columns
        if not self.heads:
            return logits, *following
        seen = torch.stack([attention[at] for at in self.heads])
        seen = seen.reshape(len(self.heads), tokens.shape[0], count, -1).transpose(0, 1)
        return logits, *following, seen


def cache_names(kind: str, layers: int) -> list[str]:
    """Names of the keys and values of each layer; `kind` is `past` or `cross`."""
    return [f"{kind}_{part}_{number}" for number in range(1, layers + 1) for part in PAIR]
