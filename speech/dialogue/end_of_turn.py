"""Whether somebody has finished, or only pauses: from the text of the turn so far, and from what was heard."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import ClassVar

from speech.models.turn_combination import Combination, load_combination
from speech.models.turn_end import TurnEndModel, load_turn_end, probability_of
from speech.text.languages import resolve


class EndOfTurn:
    """Says how likely a turn is over, in well under a millisecond, in any language; better in those it was trained on.

    Args:
        model: None: the one of the package, which is loaded at the first question.
        combination: with what was heard; None: that of the package.

    Attributes:
        folder: of the models of the package.
    """

    folder: ClassVar[Path] = Path(str(files("speech") / "assets" / "end_of_turn"))

    def __init__(self, model: TurnEndModel | None = None, combination: Combination | None = None) -> None:
        self._model, self._combination = model, combination

    @classmethod
    def load(cls, folder: Path) -> EndOfTurn:
        """A model that `recipes/dialogue/train_end_of_turn.py` wrote.

        Raises:
            ModelError: if it is missing or damaged.
        """
        return cls(load_turn_end(folder))

    def probability(self, text: str, language: str | None = None, heard: float | None = None) -> float:
        """Probability, 0 to 1, that the turn is over. A text without letters is none: 0.

        Args:
            text: what was recognised of the turn so far, with its punctuation; only its end counts.
            language: of the text, as ISO 639 code or name; None: unknown.
            heard: log-odds by voice, see `EndpointEvent.over`; None: the text decides alone.

        Raises:
            LanguageError: if there is no such language.
            ModelError: if the model of the package is damaged.
        """
        code = None if language is None else resolve(language).code
        if not any(sign.isalnum() for sign in text):
            return 0.0
        model = self._model or _shipped()
        if heard is None:
            return model.probability(text, code)
        both = (self._combination or _shipped_combination()).log_odds(model.log_odds(text, code), heard)
        return probability_of(both)


@cache
def _shipped() -> TurnEndModel:
    return load_turn_end(EndOfTurn.folder)


@cache
def _shipped_combination() -> Combination:
    return load_combination(EndOfTurn.folder / "voice")
