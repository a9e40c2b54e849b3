"""Configuration of the training of a speech language model."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from speech.choices import Storage
from speech.errors import ConfigError
from speech.models.aligned_ar import AlignedConfig
from speech.models.dual_ar import DualArConfig
from speech.nn.speech_lm.text_encoder import TextEncoderConfig
from speech.ranges import check, ranged
from speech.text.speech_vocabulary import TextUnit
from speech.train.asr.config import RunConfig


@dataclass(frozen=True, kw_only=True)
class PackingConfig:
    """Packed batches: several utterances lie in a row, and none sees another."""

    places: int = ranged(512, least=8)
    """Tokens and frames of a row; longer utterances are left out."""
    rows: int = ranged(4, least=1)
    """Rows per batch."""
    prompted: float = ranged(0.3, least=0, most=1)
    """Share of the utterances that follow another one of their speaker, as a text follows a voice to imitate."""
    dev_utterances: int = ranged(64, least=1)
    """Maximum utterances of the dev set, evenly from all of them by duration."""

    def __post_init__(self) -> None:
        check(self, "packing")


@dataclass(frozen=True, kw_only=True)
class SpeechLmInitConfig:
    """What a run starts from."""

    checkpoint: str = ""
    """A speech language model (directory or hub id), whose shape and vocabulary replace `model` and `text`, and whose
    codec is taken unless `codec` is given. Empty: random parameters."""


@dataclass(frozen=True, kw_only=True)
class SpeechTextConfig:
    """How texts are read."""

    unit: TextUnit = TextUnit.bytes
    """With `symbols`, texts of the manifests are strings of single-character symbols, such as phonemes; the inventory
    is what occurs in train and dev."""
    languages: bool = True
    """Whether a text begins with a token of its language."""


class Conditioner(StrEnum):
    """How a model is told what to say."""

    prefix = "prefix"
    """The text stands before the frames, as in published Fish-Speech models."""
    aligned = "aligned"
    """Each frame is told which symbol it says; durations of symbols are learned, and have to be known."""


@dataclass(frozen=True, kw_only=True)
class LoraConfig:
    """Low-rank updates of the linear layers of both transformers (Hu et al. 2021); they are merged at the end."""

    rank: int = ranged(0, least=0)
    """0: all parameters are trained."""
    alpha: int = ranged(16, least=1)
    """Updates are multiplied by alpha / rank."""

    def __post_init__(self) -> None:
        check(self, "lora")


@dataclass(frozen=True, kw_only=True)
class SpeechLmTrainConfig(RunConfig):
    """Configuration of the training of a speech language model."""

    model: DualArConfig = field(default_factory=DualArConfig)
    """Shape; `codebooks`, `codebook_size` and `frame_s` are those of the codec."""
    conditioner: Conditioner = Conditioner.prefix
    """With `aligned`, `model` is the shape of both transformers, and `text_encoder` that of the rest."""
    text_encoder: TextEncoderConfig = field(default_factory=TextEncoderConfig)
    """Of aligned models."""
    alignments: str = ""
    """For aligned models: folder with `train.safetensors` and `dev.safetensors`, the durations of the symbols of each
    utterance `(symbols,)` by its id, in seconds; integers are frames."""
    duration_weight: float = ranged(1.0, least=0)
    """Weight of the loss of durations beside the mean of those of the codebooks."""
    text: SpeechTextConfig = field(default_factory=SpeechTextConfig)
    packing: PackingConfig = field(default_factory=PackingConfig)
    init: SpeechLmInitConfig = field(default_factory=SpeechLmInitConfig)
    lora: LoraConfig = field(default_factory=LoraConfig)
    codec: str = ""
    """Codec whose codes are learned: directory or hub id."""
    codes: str = ""
    """Folder with `train.safetensors` and `dev.safetensors`, the codes of the utterances as an earlier run left them in
    its `codes/`; the audio files are not needed then. Empty: the run makes them."""
    speakers: str = ""
    """Safetensors file: speaker of the manifests -> embedding `(model.speaker_dim,)`; those of the training set become
    the voices of the result."""
    pronunciation: str = ""
    """Pronunciation model (directory or hub id) that goes with the result, for a voice that needs no other program."""
    fast_share: float = ranged(1.0, above=0, most=1)
    """Share of the frames of a batch whose codes train the fast network: fewer make steps faster."""
    storage: Storage = Storage.float16
    """Number format of the resulting checkpoint on disk."""
    evaluate: bool = False

    def __post_init__(self) -> None:
        if not self.codec and not self.init.checkpoint:
            raise ConfigError(
                "codec is not set", fix="Give the codec whose codes are learned, e.g. codec=runs/codec/model."
            )
        if self.lora.rank and not self.init.checkpoint:
            raise ConfigError("lora.rank without init.checkpoint: nothing is there to update", fix="Give a model.")
        self._check_conditioner()
        if bool(self.speakers) != bool(self.model.speaker_dim) and not self.init.checkpoint:
            raise ConfigError(
                f"speakers {self.speakers!r}, model.speaker_dim {self.model.speaker_dim}", fix="Give both or neither."
            )

    @property
    def aligned(self) -> AlignedConfig:
        """Shape of an aligned model."""
        own = self.model
        return AlignedConfig(
            codebooks=own.codebooks,
            codebook_size=own.codebook_size,
            frame_s=own.frame_s,
            positions=own.positions,
            max_frames=own.max_frames,
            speaker_dim=own.speaker_dim,
            text=self.text_encoder,
            slow=own.slow,
            fast=own.fast,
        )

    def _check_conditioner(self) -> None:
        aligned = self.conditioner == Conditioner.aligned
        if not self.init.checkpoint and aligned != bool(self.alignments):
            text = f"conditioner {self.conditioner}, alignments {self.alignments!r}"
            raise ConfigError(text, fix="Give alignments, the durations of symbols, to aligned models and no others.")
        plain = DualArConfig()
        for name in ("first_in_tokens", "tied", "normed") if aligned else ():
            if getattr(self.model, name) != getattr(plain, name):
                raise ConfigError(f"model.{name} {getattr(self.model, name)}: aligned models have no such switch")
