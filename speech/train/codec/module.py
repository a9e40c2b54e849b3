"""Training step of a codec: spectral losses and later those of discriminators, balanced by their gradients.

One optimiser has the parameters of the codec and of the discriminators. Both are updated at once, each by gradients of
its own: what reaches the codec is computed at the decoded samples, which are cut off from the graph of the codec there.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from speech.models.codec import NeuralCodec
from speech.train.codec.balancer import GradientBalancer
from speech.train.codec.batches import CodecBatch
from speech.train.codec.code_use import code_use, count_codes
from speech.train.codec.config import CodecTrainConfig
from speech.train.codec.discriminators import Discriminators, adversarial_loss, discriminator_loss, feature_loss
from speech.train.codec.losses import SpectralLosses
from speech.train.loop.config import OptimizerConfig
from speech.train.loop.module import TrainModule


class CodecModule(TrainModule[CodecBatch]):
    """Trains a codec; with `freeze_encoder`, only what comes behind the quantiser."""

    def __init__(self, codec: NeuralCodec, config: CodecTrainConfig) -> None:
        super().__init__(codec, config)
        losses, self.judges = config.codec_loss, config.discriminators
        self.spectral = SpectralLosses(codec.sample_rate, losses.n_ffts, losses.n_mels)
        self.discriminators = Discriminators(config.discriminators)
        names = ("mel", "stft", "adversarial", "features")
        self.balancer = GradientBalancer({name: getattr(losses, name) for name in names})
        self._counts = torch.zeros(codec.codebooks, codec.codebook_size, dtype=torch.int64)
        """Occurrences of codes in the dev set."""
        if config.freeze_encoder:
            codec.encoder.requires_grad_(False)
            codec.quantizer.requires_grad_(False)

    @property
    def codec(self) -> NeuralCodec:
        """The trained codec."""
        assert isinstance(self.model, NeuralCodec)
        return self.model

    def loss(self, batch: CodecBatch, generator: torch.Generator | None) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of one batch and its parts; on dev (`generator` None) the spectral ones, and codes are counted."""
        made = self.codec(batch.samples, batch.sample_lengths)
        places = torch.arange(made.samples.shape[1], device=made.samples.device)
        samples = made.samples * (places < batch.sample_lengths[:, None])
        if generator is None:
            losses = self.spectral(samples, batch.samples)._asdict()
            self._count(made.codes, batch.sample_lengths)
            return sum(losses.values(), made.loss), losses
        cut = samples.detach().requires_grad_()
        losses = self.spectral(cut, batch.samples)._asdict()
        parts, own = dict(losses), made.loss
        if self.global_step >= self.judges.begins:
            verdicts, learned = self._judged(cut, batch, generator)
            parts |= verdicts | {"discriminators": learned}
            own = own + learned
            if self.global_step >= self.judges.begins + self.judges.alone:
                losses |= verdicts
        gradient = self.balancer(losses, cut)
        total = own + _with_gradient(samples, gradient, sum(losses.values()))
        return total, {name: value.detach() for name, value in parts.items()}

    def _judged(
        self, samples: Tensor, batch: CodecBatch, generator: torch.Generator
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Losses of the codec by the discriminators' verdicts on a crop, and the loss of the discriminators."""
        length = min(round(self.judges.crop_s * batch.sample_rate), samples.shape[1])
        start = int(torch.randint(samples.shape[1] - length + 1, (1,), generator=generator))
        real = self.discriminators(batch.samples[:, start : start + length])
        made = self.discriminators(samples[:, start : start + length])
        losses = {"adversarial": adversarial_loss(made), "features": feature_loss(real, made)}
        return losses, discriminator_loss(real, made)

    def _count(self, codes: Tensor, lengths: Tensor) -> None:
        valid = torch.arange(codes.shape[2], device=codes.device) < self.codec.frames(lengths)[:, None]
        self._counts += count_codes(codes, valid, self.codec.codebook_size).cpu()

    def on_validation_epoch_start(self) -> None:
        self._counts.zero_()

    def on_validation_epoch_end(self) -> None:
        """Log share of codes used and perplexity, of each codebook and their means."""
        for name, values in code_use(self._counts)._asdict().items():
            each = {f"dev/{name}_{number}": value.float() for number, value in enumerate(values)}
            self.log_dict(each | {f"dev/{name}": values.float().mean()})

    def clipped(self, optimizer: torch.optim.Optimizer) -> list[list[nn.Parameter]]:
        """Codec and discriminators are clipped apart."""
        return [list(self.codec.parameters()), list(self.discriminators.parameters())]

    def configure_optimizers(self) -> Any:
        settings = self.config.optimizer
        groups = _groups(self.codec, settings, 1.0, begins=0)
        groups += _groups(self.discriminators, settings, self.judges.lr, begins=self.judges.begins)
        return self.scheduled(torch.optim.AdamW(groups, betas=(settings.betas[0], settings.betas[1]), eps=settings.eps))


def _groups(module: nn.Module, settings: OptimizerConfig, factor: float, begins: int) -> list[dict[str, Any]]:
    """Parameter groups with weight decay, for matrices and kernels, and without."""
    rate = {"lr": settings.lr * factor, "begins": begins}
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    wide, narrow = ([p for p in trained if (p.dim() > 1) == wanted] for wanted in (True, False))
    return [
        {"params": wide, "weight_decay": settings.weight_decay, **rate},
        {"params": narrow, "weight_decay": 0.0, **rate},
    ]


def _with_gradient(samples: Tensor, gradient: Tensor, value: Any) -> Tensor:
    """A scalar of `value`, whose gradient at `samples` is `gradient`."""
    product = (samples * gradient).sum()
    return product + (value - product).detach()
