"""What is wanted of speech."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from speech.choices import AUTO
from speech.decode.bias.phrases import Phrase
from speech.errors import ConfigError, LanguageError
from speech.text.languages import resolve
from speech.text.vocabulary import Vocabulary

ENGLISH = "eng"
"""What label decoders of Whisper's kind translate into."""
MOST_TEXTS = 10
"""That can be asked for of one utterance."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to do with speech."""

    languages: tuple[str, ...] = ()
    """ISO 639-3: the speech is in one of them, or changes between them; empty: in any that the model knows. One that
    only an adapter knows stands alone: nothing tells it from others."""
    to: str | None = None
    """ISO 639-3: write a translation into it instead of a transcript."""
    phrases: tuple[Phrase, ...] = ()
    """That may well be said, such as names: preferred where the audio leaves a choice."""
    plain: bool = False
    """Write without capitals and punctuation."""
    quick: bool = False
    """Write what CTC says, though there is a label decoder."""
    nbest: int = 1
    """So many likely texts are wanted, `MOST_TEXTS` at most; there may be fewer."""

    @classmethod
    def parse(
        cls,
        language: str,
        to: str | None = None,
        phrases: Sequence[Phrase] = (),
        *,
        plain: bool = False,
        nbest: int = 1,
    ) -> Request:
        """From what users write: "auto", one language or several with commas; codes, names or aliases.

        Raises:
            LanguageError: naming the nearest known names.
            ConfigError: if `nbest` is out of range.
        """
        if not 1 <= nbest <= MOST_TEXTS:
            raise ConfigError(f"{nbest} likely texts", fix=f"Ask for 1 to {MOST_TEXTS}.")
        names = [] if language.strip().lower() == AUTO else language.split(",")
        codes = dict.fromkeys(resolve(name).code for name in names)
        return cls(tuple(codes), None if to is None else resolve(to).code, tuple(phrases), plain=plain, nbest=nbest)

    @property
    def written(self) -> tuple[str, ...]:
        """ISO 639-3 codes of what is written; empty: any."""
        return self.languages if self.to is None else (self.to,)

    def prefix(
        self, vocabulary: Vocabulary, adapted: Collection[str] = (), written: Collection[str] = ()
    ) -> tuple[int, int]:
        """Ids of language (or `<nolang>`, also for one that CTC does not know) and task (a transcript, where a label
        decoder translates).

        Args:
            vocabulary: of CTC.
            adapted: languages with adapters.
            written: languages that a label decoder knows.

        Raises:
            LanguageError: if the model lacks one of them, and no adapter knows the language, or it is one of several.
        """
        new = [c for c in self.languages if c not in vocabulary.languages and c in adapted and c not in written]
        if new and (len(self.languages) > 1 or self.to is not None):
            what = "be told from others" if self.to is None else "be translated"
            raise LanguageError(f"only an adapter knows {new[0]!r}, which cannot {what}", fix="Name it alone.")
        by_label = self.by_label(written)
        elsewhere = {*adapted, *(written if by_label else ())} - {*vocabulary.languages}
        ids = [vocabulary.language_id(code) for code in self.languages if code not in elsewhere]
        language = ids[0] if len(ids) == len(self.languages) == 1 else vocabulary.nolang
        by_ctc = self.to is not None and not by_label
        return language, vocabulary.task_id("st", self.to) if by_ctc else vocabulary.task_id("asr")

    def by_label(self, written: Collection[str]) -> bool:
        """Whether a label decoder that knows the languages `written` has a say in it; it translates into English."""
        if self.quick or not written or self.to not in (None, ENGLISH):
            return False
        return self.to is None or not self.languages or not set(self.languages).isdisjoint(written)

    @property
    def named(self) -> dict[str, float]:
        """The language of a transcript, if there can be but one."""
        return {self.languages[0]: 1.0} if len(self.languages) == 1 and self.to is None else {}
