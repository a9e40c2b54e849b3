"""Configuration of label decoder training."""

from __future__ import annotations

from dataclasses import dataclass, field

from speech.choices import Storage
from speech.errors import ConfigError
from speech.ranges import Range, check, ranged, within
from speech.text.languages import ENGLISH, LANGUAGES
from speech.train.asr.config import RunConfig


@dataclass(frozen=True, kw_only=True)
class LabelDataConfig:
    """Composition of the batches. All shares are probabilities."""

    epoch: int = ranged(1000, least=1)
    """Batches per epoch; each is drawn independently."""
    single: int = ranged(8, least=1)
    """Clips in a batch of clips of similar length."""
    drawn: int = ranged(32, least=1)
    """Clips drawn, from which neighbours in length are taken for the batch."""
    joined: float = ranged(0.35, least=0, most=1)
    """Probability that a batch holds joined utterances, which also have a teacher loss."""
    joined_rows: int = ranged(2, least=1)
    joined_s: list[float] = field(
        default_factory=lambda: [6.0, 27.0], metadata=within(Range(least=0.1, most=29.0, count=(2, 2)))
    )
    """Minimum and maximum duration of joined utterances, in seconds."""
    translate: float = ranged(0.35, least=0, most=1)
    """Probability of translation, for utterances with a translation into one of `targets`."""
    targets: list[str] = field(default_factory=lambda: [ENGLISH], metadata=within(Range(count=(1, None))))
    """Languages to translate into, ISO 639-3, drawn evenly from those of an utterance. Whisper knows English; other
    targets have to be learned, and are named in the prompt by their language token."""
    held_out: list[str] = field(default_factory=list)
    """Directions such as spa-fra that are not trained, to measure what the model does without."""
    language_power: float = ranged(0.5, least=0, most=1)
    """A language is drawn in proportion to the number of its clips to this power."""
    nonspeech: float = ranged(0.05, least=0, most=1)
    """Probability that a row is a non-speech sound with an empty text."""
    cut: float = ranged(0.15, least=0, most=1)
    """Probability that a clip with word times is cut after one of its words; its text then has no end token."""
    context: float = ranged(0.0, least=0, most=1)
    """Probability that a clip or joined utterances get preceding text: the beginning of the sentence, or another text
    of the same language and source."""
    augment: float = ranged(0.5, least=0, most=1)
    """Probability that a row is augmented."""
    tails_s: list[float] = field(
        default_factory=lambda: [0.0, 0.2, 0.5], metadata=within(Range(least=0, count=(1, None)))
    )
    """Durations of trailing silence, in seconds; drawn at random, so that none marks the end."""
    synthetic: list[str] = field(default_factory=list)
    """Manifests of speech with only the teacher's targets, such as synthetic speech in languages that the corpus lacks;
    audio paths are relative to each manifest."""
    synthetic_share: float = ranged(0.2, least=0, most=1)
    """Probability that a batch holds such speech, if there is any."""
    synthetic_rows: int = ranged(4, least=1)
    """Rows in such a batch."""

    def __post_init__(self) -> None:
        check(self, "label")
        if self.joined_s[0] > self.joined_s[1]:
            raise ConfigError(f"label.joined_s {self.joined_s}", fix="Give the shortest first.")
        for name, codes in (("targets", self.targets), ("held_out", [c for d in self.held_out for c in d.split("-")])):
            unknown = [code for code in codes if code not in LANGUAGES]
            if unknown:
                raise ConfigError(f"label.{name}: {unknown[0]!r} is no ISO 639-3 code of a known language")
        wrong = [direction for direction in self.held_out if direction.count("-") != 1]
        if wrong:
            raise ConfigError(f"label.held_out: {wrong[0]!r} is no direction", fix="Write it as spa-fra.")


@dataclass(frozen=True, kw_only=True)
class LabelLossConfig:
    """Weights of the objectives."""

    teacher: float = ranged(1.0, least=0)
    """Weight of the KL divergence from the teacher, which hears the same audio padded to 30 s; the only loss of
    synthetic speech."""
    language: float = ranged(0.2, least=0)
    """Weight of the cross-entropy of the language (or no-speech) token after the start-of-transcript token."""

    def __post_init__(self) -> None:
        check(self, "label_loss")


@dataclass(frozen=True, kw_only=True)
class LabelConfig(RunConfig):
    """Configuration of the training of a label decoder at true length."""

    base: str = ""
    """Multilingual Whisper model in the format of `speech import`: directory or hub id. Its encoder is frozen; its
    decoder is trained and, in its original state, is the teacher."""
    start: str = ""
    """Label model of the same shape that initialises the decoder; the teacher stays that of `base`."""
    added: dict[str, list[str]] = field(default_factory=dict)
    """Languages to add to those of `base`, each with one or more related languages, e.g. {lad: [spa, por]}."""
    label: LabelDataConfig = field(default_factory=LabelDataConfig)
    label_loss: LabelLossConfig = field(default_factory=LabelLossConfig)
    kept: float = ranged(0.5, least=0, most=1)
    """Weight of the trained parameters in the result; the rest is the original decoder, to avoid forgetting."""
    storage: Storage = Storage.float16
    """Number format of the resulting checkpoint on disk."""

    def __post_init__(self) -> None:
        if self.label.synthetic and not self.label_loss.teacher:
            fix = "Give label_loss.teacher more than 0, or no label.synthetic."
            raise ConfigError("label.synthetic is learned from the teacher, and label_loss.teacher is 0", fix=fix)
