"""Configuration of the training of an audio watermark."""

from __future__ import annotations

from dataclasses import dataclass, field

from speech.choices import Storage
from speech.errors import ConfigError
from speech.models.watermark import WatermarkConfig
from speech.ranges import Range, check, ranged, within
from speech.train.asr.config import RunConfig
from speech.train.codec.config import CropConfig


@dataclass(frozen=True, kw_only=True)
class WatermarkLossConfig:
    """Weights of the losses; those of detection are cross-entropies in nats."""

    presence: float = ranged(1.0, least=0)
    """Whether each frame is marked."""
    bits: float = ranged(1.0, least=0)
    """The bits, by each frame and by all marked frames of a row together."""
    mel: float = ranged(0.5, least=0)
    stft: float = ranged(0.1, least=0)
    """Spectral distances of marked to clean speech."""
    loudness: float = ranged(1.0, least=0)
    """Mark that is louder than `loudness_db` below the speech, per band and half second."""
    loudness_db: float = ranged(21.0, least=0)
    n_ffts: list[int] = field(
        default_factory=lambda: [512, 1024, 2048], metadata=within(Range(least=16, most=8192, count=(1, None)))
    )
    """Window lengths in samples of mel and STFT losses."""
    n_mels: list[int] = field(
        default_factory=lambda: [40, 80, 120], metadata=within(Range(least=4, most=512, count=(1, None)))
    )
    """Mel filters at each window length."""

    def __post_init__(self) -> None:
        check(self, "watermark_loss")
        if len(self.n_mels) != len(self.n_ffts):
            raise ConfigError(
                f"watermark_loss: n_mels {self.n_mels}, n_ffts {self.n_ffts}", fix="Give as many of both."
            )
        if not self.presence * self.bits:
            raise ConfigError("watermark_loss: presence or bits is 0", fix="Give both more.")


@dataclass(frozen=True, kw_only=True)
class PlacementConfig:
    """Which parts of a row are marked."""

    unmarked: float = ranged(0.25, least=0, most=1)
    """Share of rows without any mark."""
    original: float = ranged(0.4, least=0, most=1)
    """Share of the other rows of which parts are the unmarked original."""
    other: float = ranged(0.2, least=0, most=1)
    """Share of which parts are another row's unmarked speech."""
    silence: float = ranged(0.2, least=0, most=1)
    """Share of which parts are silent."""

    def __post_init__(self) -> None:
        check(self, "placement")
        if self.original + self.other + self.silence > 1:
            raise ConfigError("placement: original, other and silence are more than 1 together")


@dataclass(frozen=True, kw_only=True)
class AttackConfig:
    """What happens to marked speech before the detector hears it; each row gets nothing or one attack."""

    share: float = ranged(0.5, least=0, most=1)
    """Share of rows that are attacked."""
    speed: float = ranged(1.0, least=0)
    resample: float = ranged(1.0, least=0)
    band_pass: float = ranged(1.0, least=0)
    noise: float = ranged(2.0, least=0)
    echo: float = ranged(1.0, least=0)
    clip: float = ranged(0.5, least=0)
    gain: float = ranged(0.5, least=0)
    quantize: float = ranged(0.5, least=0)
    cut: float = ranged(0.5, least=0)
    mix: float = ranged(1.0, least=0)
    lossy: float = ranged(2.0, least=0)
    """Relative frequencies of the attacks."""
    speed_range: float = ranged(0.1, least=0, most=0.5)
    """Speeds from 1 - range to 1 + range."""
    snr_db: list[float] = field(
        default_factory=lambda: [10.0, 30.0], metadata=within(Range(least=0, most=100, count=(2, 2)))
    )
    """Lowest and highest signal-to-noise ratio."""
    mix_db: list[float] = field(
        default_factory=lambda: [0.0, 10.0], metadata=within(Range(least=0, most=100, count=(2, 2)))
    )
    """Lowest and highest level of the marked speech over what is mixed with it."""

    def __post_init__(self) -> None:
        check(self, "attacks")
        for name in ("snr_db", "mix_db"):
            low, high = getattr(self, name)
            if low > high:
                raise ConfigError(f"attacks.{name} {[low, high]}, expected the lowest first")


@dataclass(frozen=True, kw_only=True)
class CalibrationConfig:
    """How the thresholds are set after training, on unmarked speech of train and dev."""

    false_alarms: float = ranged(0.005, above=0, below=1)
    """Share of unmarked recordings that may count as marked."""
    window_false_alarms: float = ranged(0.01, above=0, below=1)
    """Share of unmarked windows that may count as a part of the mark of a marked recording."""
    utterances: int = ranged(600, least=1)
    """Utterances that are listened to, each as it is and once attacked."""

    def __post_init__(self) -> None:
        check(self, "calibration")


@dataclass(frozen=True, kw_only=True)
class WatermarkTrainConfig(RunConfig):
    """Configuration of the training of a watermark."""

    model: WatermarkConfig = field(default_factory=WatermarkConfig)
    crops: CropConfig = field(default_factory=CropConfig)
    watermark_loss: WatermarkLossConfig = field(default_factory=WatermarkLossConfig)
    placement: PlacementConfig = field(default_factory=PlacementConfig)
    attacks: AttackConfig = field(default_factory=AttackConfig)
    calibration: CalibrationConfig = field(default_factory=CalibrationConfig)
    storage: Storage = Storage.float32
    """Number format of the resulting checkpoint on disk."""
    evaluate: bool = False
