"""Recognition requests."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from speech.choices import AUTO
from speech.decode.bias.phrases import Phrase
from speech.errors import ConfigError, LanguageError
from speech.text.languages import resolve
from speech.text.vocabulary import Vocabulary

MOST_TEXTS = 10
"""Maximum n-best texts per utterance."""


class LabelLanguages(NamedTuple):
    """What a label decoder knows, as ISO 639-3 codes; empty if there is no label decoder."""

    spoken: tuple[str, ...] = ()
    """Languages that it hears and writes."""
    targets: tuple[str, ...] = ()
    """Languages that it translates into."""


NO_LABEL = LabelLanguages()


@dataclass(frozen=True, slots=True)
class Request:
    """How speech is to be transcribed or translated."""

    languages: tuple[str, ...] = ()
    """ISO 639-3 codes of the spoken languages, which may alternate; empty: any language of the model. A language known
    only to an adapter must be the only one, since it cannot be identified."""
    to: str | None = None
    """ISO 639-3 code of the target language of a translation; None: a transcript."""
    phrases: tuple[Phrase, ...] = ()
    """Phrases to bias towards, such as names."""
    plain: bool = False
    """Write without capitals and punctuation."""
    quick: bool = False
    """Write CTC's text even if there is a label decoder."""
    nbest: int = 1
    """Number of likely texts to return, at most `MOST_TEXTS`; fewer may be found."""
    draft: bool = False
    """Continue the translation of a part that still grows; see `Part.translated` and `PartResult.draft`."""
    trained: bool = False
    """Whether drafts have the probabilities of a trained policy, `TranslationDraft.write`."""

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
        """Parse user input: "auto", or one or several languages separated by commas, as codes, names or aliases.

        Raises:
            LanguageError: for an unknown language; names the nearest known ones.
            ConfigError: if `nbest` is out of range.
        """
        if not 1 <= nbest <= MOST_TEXTS:
            raise ConfigError(f"{nbest} likely texts", fix=f"Ask for 1 to {MOST_TEXTS}.")
        names = [] if language.strip().lower() == AUTO else language.split(",")
        codes = dict.fromkeys(resolve(name).code for name in names)
        return cls(tuple(codes), None if to is None else resolve(to).code, tuple(phrases), plain=plain, nbest=nbest)

    @property
    def written(self) -> tuple[str, ...]:
        """ISO 639-3 codes of the output languages; empty: any."""
        return self.languages if self.to is None else (self.to,)

    def prefix(
        self, vocabulary: Vocabulary, adapted: Collection[str] = (), label: LabelLanguages = NO_LABEL
    ) -> tuple[int, int]:
        """Ids of the language token (`<nolang>` if CTC does not know it) and of the task token (transcription if the
        label decoder translates).

        Args:
            vocabulary: CTC's.
            adapted: languages with adapters.
            label: languages of the label decoder.

        Raises:
            LanguageError: if neither the model nor an adapter knows a language, or one that only an adapter knows is
                not named alone, or is to be translated.
        """
        written = label.spoken
        new = [c for c in self.languages if c not in vocabulary.languages and c in adapted and c not in written]
        if new and (len(self.languages) > 1 or self.to is not None):
            what = "be told from others" if self.to is None else "be translated"
            raise LanguageError(f"only an adapter knows {new[0]!r}, which cannot {what}", fix="Name it alone.")
        by_label = self.by_label(label)
        elsewhere = {*adapted, *(written if by_label else ())} - {*vocabulary.languages}
        ids = [vocabulary.language_id(code) for code in self.languages if code not in elsewhere]
        language = ids[0] if len(ids) == len(self.languages) == 1 else vocabulary.nolang
        by_ctc = self.to is not None and not by_label
        return language, vocabulary.task_id("st", self.to) if by_ctc else vocabulary.task_id("asr")

    def by_label(self, label: LabelLanguages) -> bool:
        """Whether a label decoder that knows these languages takes part."""
        if self.quick or not label.spoken or self.to not in (None, *label.targets):
            return False
        return self.to is None or not self.languages or not set(self.languages).isdisjoint(label.spoken)

    @property
    def named(self) -> dict[str, float]:
        """Weight 1.0 for the language of a transcript if exactly one is named; otherwise empty."""
        return {self.languages[0]: 1.0} if len(self.languages) == 1 and self.to is None else {}
