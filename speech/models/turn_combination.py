"""How what a text and what a voice say of the end of a turn are combined."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

from speech.errors import ModelError
from speech.files import read_text

COMBINATION = "combination.json"


@dataclass(frozen=True, slots=True)
class Combination:
    """The log-odds that a turn is over are `bias + text * (those of the text) + voice * (those heard)`."""

    bias: float = 0.0
    text: float = 1.0
    voice: float = 1.0

    def log_odds(self, text: float, voice: float) -> float:
        """Both together."""
        return self.bias + self.text * text + self.voice * voice

    def to_json(self) -> str:
        """What `load_combination` reads."""
        return json.dumps(asdict(self), indent=1) + "\n"


def load_combination(directory: Path) -> Combination:
    """Read the combination of a folder.

    Raises:
        ModelError: naming the file, if it is missing or damaged.
    """
    path = directory / COMBINATION
    if not path.is_file():
        fix = "Write it with recipes/dialogue/train_turn_voice.py."
        raise ModelError(f"has no {COMBINATION}", where=str(directory), fix=fix)
    try:
        record = json.loads(read_text(path))
        found = Combination(**{name: float(value) for name, value in record.items()})
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(f"is no combination: {error}", where=str(path)) from error
    if not all(math.isfinite(own) for own in asdict(found).values()):
        raise ModelError("its numbers are not finite", where=str(path), fix="Copy the model again.")
    return found
