"""Training step of EMMA's policy.

First it learns AlignAtt's decisions; then the cross-entropy of the translation, the expected lagging and the variance
of the delay.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speech.models.monotonic_decoder import Expected, MonotonicDecoder
from speech.models.whisper import Whisper
from speech.nn.decoder.label import DecoderLayer
from speech.nn.policy_network import PolicyNetwork
from speech.train.label.batches import NO_TARGET, LabelBatch
from speech.train.label.module import encode
from speech.train.loop.module import TrainModule
from speech.train.loop.optimizer import build_optimizer
from speech.train.translation.config import TranslationConfig
from speech.train.translation.distillation import Heard, attended_places, cut_loss, whole_loss
from speech.translate.emma import delay_variance, expected_delay, expected_lagging


class TranslationModule(TrainModule[LabelBatch]):
    """Trains a policy network, and the decoder's cross-attention if the configuration says so; the rest is frozen."""

    def __init__(self, whisper: Whisper, config: TranslationConfig) -> None:
        shape = whisper.config.decoder
        network = PolicyNetwork(config.policy, shape.dim, shape.layers, shape.heads)
        whisper.eval().requires_grad_(False)
        parts: dict[str, nn.Module] = {"policy": network}
        if config.train_cross_attention:
            layers: list[DecoderLayer] = list(whisper.decoder.layers)  # type: ignore[arg-type]
            crossing = (nn.ModuleList([layer.cross_norm, layer.cross]) for layer in layers)
            parts["cross"] = nn.ModuleList(crossing).requires_grad_(True)
        super().__init__(nn.ModuleDict(parts), config)
        self.weights, self.distillation, self.cross_lr = config.delay_loss, config.distillation, config.cross_lr
        self._frozen = [(whisper, MonotonicDecoder(whisper.decoder, network))]  # the list avoids their registration

    def loss(self, batch: LabelBatch, generator: torch.Generator | None) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of one batch and its parts; on dev (`generator` None) the parts of both stages, and the cross-entropy of
        the offline decoder."""
        whisper, model = self._frozen[0]
        if whisper.device != batch.samples.device:
            whisper.to(batch.samples.device)
        frames, lengths = encode(whisper, batch.samples, batch.sample_lengths)
        if generator is not None and self.distils:
            return self._distilled(batch, frames, lengths, generator)
        asked = batch.targets != NO_TARGET
        first, counts = asked.int().argmax(dim=1), asked.sum(dim=1)
        found = model(batch.tokens, frames, lengths, first)
        logits = whisper.logits(found.x[asked])
        text = F.cross_entropy(logits, batch.targets[asked])
        lagging, variance = delays(found, first, counts)  # (batch,)
        total = text + self.weights.latency * lagging.mean() + self.weights.variance * variance.mean()
        seconds = found.groups * model.network.config.pooling * whisper.frame_s  # (batch,)
        parts = {
            "text": text,
            "lagging": lagging.mean(),
            "variance": variance.mean(),
            "lagging_s": (lagging * seconds).mean(),
        }
        if generator is None:
            parts["offline"] = F.cross_entropy(
                whisper.logits(whisper.step(batch.tokens, whisper.begin(frames, lengths))[0][asked]),
                batch.targets[asked],
            )
            if whisper.alignment_heads:
                taught, losses = self._distilled(batch, frames, lengths, None)
                parts |= losses
                total = taught if self.distils else total
        return total, {name: value.detach() for name, value in parts.items()}

    @property
    def distils(self) -> bool:
        """Whether the run is in its first stage."""
        return self.global_step < self.distillation.steps

    def _distilled(
        self, batch: LabelBatch, frames: Tensor, lengths: Tensor, generator: torch.Generator | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of the first stage and its parts; on dev the audio is cut half-way."""
        whisper, model = self._frozen[0]
        margin = round(self.distillation.margin_s / whisper.frame_s)
        heard = Heard(frames, lengths, attended_places(whisper, batch, frames, lengths))
        shares = torch.full((len(batch),), 0.5) if generator is None else torch.rand(len(batch), generator=generator)
        parts = {
            "whole": whole_loss(model, batch, heard, margin),
            "cut": cut_loss(model, whisper, batch, heard, margin, shares),
        }
        return parts["whole"] + parts["cut"], {name: value.detach() for name, value in parts.items()}

    @property
    def network(self) -> PolicyNetwork:
        """The trained policy network."""
        return self._frozen[0][1].network

    def configure_optimizers(self) -> Any:
        optimizer = build_optimizer(self.model, 0, self.config.optimizer)
        own = {id(parameter) for parameter in self.network.parameters()}
        groups = []
        for group in optimizer.param_groups:
            for mine, factor in ((True, 1.0), (False, self.cross_lr)):
                chosen = [parameter for parameter in group["params"] if (id(parameter) in own) == mine]
                groups += [{**group, "params": chosen, "lr": group["lr"] * factor}] if chosen else []
        return self.scheduled(torch.optim.AdamW(groups, **_shared(optimizer)))


def _shared(optimizer: torch.optim.AdamW) -> dict[str, Any]:
    return {name: optimizer.defaults[name] for name in ("betas", "eps")}


def delays(found: Expected, first: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """Expected lagging, as a share of the source, and variance of the delay, in its square: mean over layers and heads.

    Args:
        found: of the decoder.
        first: `(batch,)` place that predicts the text's first token.
        counts: `(batch,)` tokens of the text.

    Returns:
        Two of `(batch,)`.
    """
    alpha = found.alignment
    each = alpha.shape[1] * alpha.shape[2]
    places = torch.arange(int(counts.max()), device=alpha.device)
    index = (first[:, None] + places).clamp(max=alpha.shape[3] - 1)[:, None, None]  # (batch, 1, 1, I)
    index = index.expand(-1, alpha.shape[1], alpha.shape[2], -1)
    delay, variance = (value(alpha).gather(-1, index) for value in (expected_delay, delay_variance))
    groups, tokens = (count.repeat_interleave(each) for count in (found.groups, counts))
    lagging = expected_lagging(delay.flatten(0, 2), groups, tokens) / groups
    real = (places < counts[:, None])[:, None, None]  # (batch, 1, 1, I)
    spread = (variance * real).sum(dim=-1).mean(dim=(1, 2)) / counts
    return lagging.unflatten(0, (-1, each)).mean(dim=1), spread / found.groups.square()
