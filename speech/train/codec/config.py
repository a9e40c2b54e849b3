"""Configuration of the training of an audio codec."""

from __future__ import annotations

from dataclasses import dataclass, field

from speech.choices import Storage
from speech.errors import ConfigError
from speech.models.codec import CodecConfig
from speech.ranges import Range, check, ranged, within
from speech.train.asr.config import RunConfig


@dataclass(frozen=True, kw_only=True)
class CropConfig:
    """Batches of random crops."""

    epoch: int = ranged(500, least=1)
    """Batches per epoch."""
    rows: int = ranged(16, least=1)
    """Crops per batch."""
    crop_s: float = ranged(1.0, above=0, most=30)
    """Duration of a crop; shorter utterances are padded."""
    language_power: float = ranged(0.5, least=0, most=1)
    """A language is drawn in proportion to its seconds to this power, then an utterance in proportion to its own."""
    gain_db: float = ranged(6.0, least=0)
    """Crops get up to this much louder or quieter, but not louder than full scale."""
    dev_rows: int = ranged(64, least=1)
    """Maximum utterances of the dev set, evenly from all of them by duration."""
    dev_s: float = ranged(4.0, above=0)
    """Seconds of each that are used."""

    def __post_init__(self) -> None:
        check(self, "crops")


@dataclass(frozen=True, kw_only=True)
class CodecLossConfig:
    """Losses and the share that each has of the gradient at the decoded samples (`speech.train.codec.balancer`)."""

    mel: float = ranged(3.0, least=0)
    """Share of the log-mel distance."""
    stft: float = ranged(1.5, least=0)
    """Share of the multi-resolution STFT loss."""
    adversarial: float = ranged(0.5, least=0)
    """Share of the discriminators' verdict, once it counts."""
    features: float = ranged(1.0, least=0)
    """Share of feature matching, from the same step on."""
    n_ffts: list[int] = field(
        default_factory=lambda: [512, 1024, 2048], metadata=within(Range(least=16, most=8192, count=(1, None)))
    )
    """Window lengths in samples of mel and STFT losses."""
    n_mels: list[int] = field(
        default_factory=lambda: [40, 80, 120], metadata=within(Range(least=4, most=512, count=(1, None)))
    )
    """Mel filters at each window length."""

    def __post_init__(self) -> None:
        check(self, "codec_loss")
        if len(self.n_mels) != len(self.n_ffts):
            raise ConfigError(f"codec_loss: n_mels {self.n_mels}, n_ffts {self.n_ffts}", fix="Give as many of both.")
        if not self.mel + self.stft:
            raise ConfigError("codec_loss: mel and stft are both 0", fix="Give one of them more.")


@dataclass(frozen=True, kw_only=True)
class DiscriminatorConfig:
    """Discriminators: multi-period (Kong et al. 2020) and multi-resolution (Defossez et al. 2022)."""

    begins: int = ranged(2000, least=0)
    """Step at which they begin to learn; their learning rate then warms up."""
    alone: int = ranged(200, least=0)
    """Steps from then on in which they only learn. Verdicts of untrained discriminators, scaled to their share of the
    gradient, would undo what the codec has learned."""
    lr: float = ranged(0.5, above=0)
    """Factor on the learning rate."""
    crop_s: float = ranged(0.5, above=0)
    """Seconds of each row that they hear."""
    periods: list[int] = field(default_factory=lambda: [2, 3, 5, 7, 11], metadata=within(Range(least=1)))
    period_channels: int = ranged(16, least=1)
    """Channels of the first layer; later ones have up to four times as many."""
    n_ffts: list[int] = field(default_factory=lambda: [512, 1024, 2048], metadata=within(Range(least=64)))
    channels: int = ranged(16, least=1)

    def __post_init__(self) -> None:
        check(self, "discriminators")
        if not self.periods and not self.n_ffts:
            raise ConfigError("discriminators: no periods and no n_ffts", fix="Give one or more of either.")


@dataclass(frozen=True, kw_only=True)
class CodecTrainConfig(RunConfig):
    """Configuration of the training of a codec."""

    model: CodecConfig = field(default_factory=CodecConfig)
    crops: CropConfig = field(default_factory=CropConfig)
    codec_loss: CodecLossConfig = field(default_factory=CodecLossConfig)
    discriminators: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    start: str = ""
    """Checkpoint of a codec of the same shape to start from: directory or hub id."""
    freeze_encoder: bool = False
    """Train the decoder alone, so that codes keep their meaning; needs `start`."""
    storage: Storage = Storage.float16
    """Number format of the resulting checkpoint on disk."""
    evaluate: bool = False

    def __post_init__(self) -> None:
        if self.freeze_encoder and not self.start:
            raise ConfigError("freeze_encoder without start: random codes would stay random", fix="Give start.")
