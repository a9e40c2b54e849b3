"""Phonemes by a pronunciation model, and by a lexicon in English: no program is needed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from speech.models.letter_phonemes import LetterPhonemes
from speech.models.letter_phonemes_checkpoint import load_letter_phonemes_checkpoint
from speech.tts.pronunciation.lexicon import EnglishLexicon
from speech.tts.pronunciation.pronunciation import Pronunciation, marks_between
from speech.tts.text_front_end.spoken_form import SpokenForm


class LetterPronouncer:
    """Reads the words of a sentence at once: a word may sound otherwise between other words.

    Args:
        model: in evaluation mode.
        lexicon: knows English words better than the model.
    """

    def __init__(self, model: LetterPhonemes, lexicon: EnglishLexicon | None = None) -> None:
        self._model, self._lexicon = model, lexicon
        self.languages = frozenset(model.vocabulary.languages)
        self.phonemes = frozenset(model.vocabulary.phonemes)

    @classmethod
    def load(cls, folder: Path, *, lexicon: bool = True) -> LetterPronouncer:
        """A checkpoint, with the lexicon in its folder if there is one and it is not declined.

        Raises:
            ModelError: if the checkpoint is damaged.
        """
        model = load_letter_phonemes_checkpoint(folder).model
        return cls(model, EnglishLexicon.beside(folder, model.vocabulary.phonemes) if lexicon else None)

    def __call__(self, spoken: SpokenForm, language: str) -> Pronunciation:
        """Phonemes of words.

        Raises:
            LanguageError: if the model does not know the language.
            ModelError: if the lexicon is damaged.
        """
        words = spoken.words
        found = self.words([word.text for word in words], language)
        places = [(0, 0), *((word.start, word.end) for word in words), (len(spoken.text), len(spoken.text))]
        gaps = [marks_between(spoken.text[end:start]) for (_, end), (start, _) in pairwise(places)]
        symbols, spans = gaps[0].lstrip(), []
        for said, gap in zip(found, gaps[1:], strict=True):
            if not said:
                symbols = symbols.rstrip()
            spans.append((len(symbols), len(symbols) + len(said)))
            symbols += said + gap
        return Pronunciation(symbols.rstrip(), tuple(spans))

    def words(self, words: Sequence[str], language: str) -> list[str]:
        """Phonemes of the words of a sentence, one string each; empty for a word without known letters.

        Raises:
            LanguageError, ModelError: as for a sentence with punctuation.
        """
        found = self._model.pronounce(words, language)
        if self._lexicon is None or language != "eng":
            return found
        return [own or read for own, read in zip(self._lexicon.look_up(words), found, strict=True)]
