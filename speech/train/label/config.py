"""Everything that the training of a label decoder can be told."""

from __future__ import annotations

from dataclasses import dataclass, field

from speech.choices import Storage
from speech.errors import ConfigError
from speech.ranges import Range, check, ranged, within
from speech.train.asr.config import RunConfig


@dataclass(frozen=True, kw_only=True)
class LabelDataConfig:
    """What a batch is made of. All shares are probabilities."""

    epoch: int = ranged(1000, least=1)
    """Batches that are counted as an epoch; each is drawn by itself."""
    single: int = ranged(8, least=1)
    """Clips in a batch of clips of similar length."""
    drawn: int = ranged(32, least=1)
    """Clips of which those are neighbours by length."""
    joined: float = ranged(0.35, least=0, most=1)
    """Of a batch to be of utterances that are joined; those are also learned from the teacher."""
    joined_rows: int = ranged(2, least=1)
    joined_s: list[float] = field(
        default_factory=lambda: [6.0, 27.0], metadata=within(Range(least=0.1, most=29.0, count=(2, 2)))
    )
    """Shortest and longest."""
    translate: float = ranged(0.35, least=0, most=1)
    """Of what has an English translation to be translated."""
    language_power: float = ranged(0.5, least=0, most=1)
    """A language is drawn by the number of its clips to this power."""
    nonspeech: float = ranged(0.05, least=0, most=1)
    """Of a row to be one in which nobody speaks, and whose text is empty."""
    cut: float = ranged(0.15, least=0, most=1)
    """Of a clip with known word times to be cut behind one of its words; then its text does not end."""
    context: float = ranged(0.0, least=0, most=1)
    """Of a clip, or of joined utterances, to be told what was said before: the beginning of its sentence, or another
    text of its language and source."""
    augment: float = ranged(0.5, least=0, most=1)
    """Of a row to be augmented."""
    tails_s: list[float] = field(
        default_factory=lambda: [0.0, 0.2, 0.5], metadata=within(Range(least=0, count=(1, None)))
    )
    """Silence behind the samples: one of these, so that none becomes the sign of the end."""
    synthetic: list[str] = field(default_factory=list)
    """Manifests of speech of which only the teacher says what is to be learned, such as synthetic speech in languages
    that the corpus lacks; audio paths are relative to each."""
    synthetic_share: float = ranged(0.2, least=0, most=1)
    """Of a batch to be of those, if there are any."""
    synthetic_rows: int = ranged(4, least=1)
    """In such a batch."""

    def __post_init__(self) -> None:
        check(self, "label")
        if self.joined_s[0] > self.joined_s[1]:
            raise ConfigError(f"label.joined_s {self.joined_s}", fix="Give the shortest first.")


@dataclass(frozen=True, kw_only=True)
class LabelLossConfig:
    """Weights of the objectives."""

    teacher: float = ranged(1.0, least=0)
    """Of the divergence from the teacher, which hears the same padded to 30 s: all that synthetic speech teaches."""
    language: float = ranged(0.2, least=0)
    """Of the cross-entropy of language or no speech behind the token that begins a transcript."""

    def __post_init__(self) -> None:
        check(self, "label_loss")


@dataclass(frozen=True, kw_only=True)
class LabelConfig(RunConfig):
    """The training of a label decoder at true length."""

    base: str = ""
    """A Whisper of several languages, as `speech import` writes it: directory or hub id. Its encoder stays, its decoder
    is trained and, as it was, the teacher."""
    start: str = ""
    """A label model of the same shape whose decoder training begins with; the teacher is that of `base`."""
    added: dict[str, list[str]] = field(default_factory=dict)
    """Languages to add to those of `base`, each with one or more that are near to it, e.g. {lad: [spa, por]}."""
    label: LabelDataConfig = field(default_factory=LabelDataConfig)
    label_loss: LabelLossConfig = field(default_factory=LabelLossConfig)
    kept: float = ranged(0.5, least=0, most=1)
    """Share of the trained weights in the result; the rest is the decoder as it was: a guard against forgetting."""
    storage: Storage = Storage.float16
    """How the result lies on disk."""

    def __post_init__(self) -> None:
        if self.label.synthetic and not self.label_loss.teacher:
            fix = "Give label_loss.teacher more than 0, or no label.synthetic."
            raise ConfigError("label.synthetic is learned from the teacher, and label_loss.teacher is 0", fix=fix)
