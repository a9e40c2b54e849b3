"""Configuration of the training of a translation policy."""

from __future__ import annotations

from dataclasses import dataclass, field

from speech.choices import Storage
from speech.errors import ConfigError
from speech.nn.policy_network import PolicyConfig
from speech.ranges import check, ranged
from speech.train.asr.config import RunConfig
from speech.train.label.config import LabelDataConfig


@dataclass(frozen=True, kw_only=True)
class DelayLossConfig:
    """Weights of the regularisers beside the cross-entropy of the translation."""

    latency: float = ranged(0.5, least=0)
    """lambda_latency: weight of the expected lagging, as a share of the source's length."""
    variance: float = ranged(1.0, least=0)
    """lambda_variance: weight of the variance of the delay, in squares of that length."""

    def __post_init__(self) -> None:
        check(self, "delay_loss")


@dataclass(frozen=True, kw_only=True)
class DistillationConfig:
    """AlignAtt's decisions as the first teacher; see `speech.train.translation.distillation`."""

    steps: int = ranged(500, least=0)
    """Steps at the beginning that have no other loss."""
    margin_s: float = ranged(1.0, least=0)
    """Seconds of audio behind what a token attends to before it is written."""

    def __post_init__(self) -> None:
        check(self, "distillation")


def translated_clips() -> LabelDataConfig:
    """Batches of complete translations alone, most of them of joined clips: a short clip has nothing to wait for."""
    return LabelDataConfig(translate=1.0, joined=0.7, nonspeech=0.0, cut=0.0)


@dataclass(frozen=True, kw_only=True)
class TranslationConfig(RunConfig):
    """Configuration of the training of EMMA's policy for translation into English."""

    base: str = ""
    """Label model or hybrid: directory, "embedded" or hub id. Its encoder and decoder are frozen."""
    label: LabelDataConfig = field(default_factory=translated_clips)
    """Batches, as for the decoder; all rows are translations."""
    dev_rows: int = ranged(40, least=1)
    """Maximum joined rows of the dev set, evenly from all of them."""
    policy: PolicyConfig = field(default_factory=PolicyConfig)
    start: str = ""
    """Policy file of the same base and shape to start from; empty: a new network."""
    distillation: DistillationConfig = field(default_factory=DistillationConfig)
    delay_loss: DelayLossConfig = field(default_factory=DelayLossConfig)
    train_cross_attention: bool = False
    """Whether the decoder's cross-attention learns too; the result then has a label model of its own."""
    cross_lr: float = ranged(0.02, least=0)
    """Factor on the learning rate for cross-attention."""
    storage: Storage = Storage.float16
    """Number format of the policy on disk, and of that label model."""

    def __post_init__(self) -> None:
        rows = self.label
        shares = {"translate": 1, "nonspeech": 0, "cut": 0, "context": 0}
        for name, wanted in shares.items():
            if getattr(rows, name) != wanted:
                raise ConfigError(
                    f"label.{name} {getattr(rows, name):g}: a policy learns from complete translations alone",
                    fix=f"Give label.{name}={wanted}.",
                )
        if rows.synthetic:
            raise ConfigError("label.synthetic: there is no teacher here", fix="Leave it out.")
