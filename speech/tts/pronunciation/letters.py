"""Phonemes by a pronunciation model: no program is needed."""

from __future__ import annotations

from itertools import pairwise

from speech.models.letter_phonemes import LetterPhonemes
from speech.tts.pronunciation.pronunciation import Pronunciation, marks_between
from speech.tts.text_front_end.spoken_form import SpokenForm


class LetterPronouncer:
    """Reads the words of a sentence at once: a word may sound otherwise between other words.

    Args:
        model: in evaluation mode.
    """

    def __init__(self, model: LetterPhonemes) -> None:
        self._model = model
        self.languages = frozenset(model.vocabulary.languages)
        self.phonemes = frozenset(model.vocabulary.phonemes)

    def __call__(self, spoken: SpokenForm, language: str) -> Pronunciation:
        """Phonemes of words.

        Raises:
            LanguageError: if the model does not know the language.
        """
        words = spoken.words
        found = self._model.pronounce([word.text for word in words], language)
        places = [(0, 0), *((word.start, word.end) for word in words), (len(spoken.text), len(spoken.text))]
        gaps = [marks_between(spoken.text[end:start]) for (_, end), (start, _) in pairwise(places)]
        symbols, spans = gaps[0].lstrip(), []
        for said, gap in zip(found, gaps[1:], strict=True):
            spans.append((len(symbols), len(symbols) + len(said)))
            symbols = symbols + said + gap if said else symbols.rstrip() + gap
        return Pronunciation(symbols.rstrip(), tuple(spans))
