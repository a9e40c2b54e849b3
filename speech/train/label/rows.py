"""What a row of a label decoder's batch is made of, and which utterances and translations it learns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from speech.data.manifest import Utterance
from speech.text.languages import LANGUAGES
from speech.text.tokenizers.bpe import LabelTokenizer
from speech.train.label.config import LabelDataConfig

_LEAST_S, _MOST_S = 0.2, 28.0


@dataclass(frozen=True, slots=True)
class Row:
    """Source of one row of a batch; without utterances, a non-speech sound."""

    utterances: tuple[Utterance, ...]
    target: str | None = None
    """ISO 639-3 code of the translation to write; None: the transcript."""
    words: int | None = None
    """The audio is cut after this many words; None: not cut."""
    since: int = 0
    """Index of the first word."""
    joined: bool = False
    synthetic: bool = False
    """Only the teacher provides targets."""
    before: str = ""
    """Preceding text, which goes into the decoder's prompt."""

    @property
    def duration_s(self) -> float:
        return sum(utterance.duration_s for utterance in self.utterances)


def text_of(row: Row) -> str:
    """Text in the decoder's format: with a leading space if the script has spaces."""
    target = row.target
    space = " " if LANGUAGES[target or row.utterances[0].language].spaces else ""
    if row.words is not None or row.since:
        return space + space.join(row.utterances[0].text.split()[row.since : row.words])
    texts = [u.text if target is None else u.translations[target] for u in row.utterances]
    return space + space.join(text.strip() for text in texts)


def targets_of(utterance: Utterance, config: LabelDataConfig) -> list[str]:
    """Languages into which an utterance is translated in training: `label.targets` without `label.held_out`."""
    language = utterance.language
    wanted = (code for code in config.targets if code != language and code in utterance.translations)
    return [code for code in wanted if f"{language}-{code}" not in config.held_out]


def timed(utterance: Utterance) -> bool:
    """Whether all words of an utterance have times."""
    return bool(utterance.words) and len(utterance.words) == len(utterance.text.split())


def learnable(utterances: Sequence[Utterance], tokenizer: LabelTokenizer) -> list[Utterance]:
    """Utterances of 0.2 to 28 s with text, in exactly one language, which the decoder supports."""
    return [
        u
        for u in utterances
        if u.language in tokenizer.languages
        and u.text.strip()
        and _LEAST_S <= u.duration_s <= _MOST_S
        and set(u.languages) == {u.language}
    ]


def teachable(utterances: Sequence[Utterance], tokenizer: LabelTokenizer) -> list[Utterance]:
    """The `learnable` utterances in languages that the teacher knows, i.e. not in added languages."""
    return [u for u in learnable(utterances, tokenizer) if u.language not in tokenizer.added]
