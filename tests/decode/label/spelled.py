"""A CTC of letters: a to z are tokens 1 to 26."""

import numpy as np

from speech.decode.label.joint import Spelling


def spell(text: str) -> Spelling:
    """Spaces are no tokens, and other characters cannot be written."""
    letters = [character for character in text.lower() if character.isalnum()]
    known = [ord(letter) - 96 for letter in letters if "a" <= letter <= "z"]
    return Spelling(tuple(known), len(letters) - len(known))


def saying(frames: str, sure: float = 0.9) -> np.ndarray:
    """Log-probabilities of frames that say a letter each, or blank, "_"."""
    path = [0 if letter == "_" else ord(letter) - 96 for letter in frames]
    probs = np.full((len(path), 27), (1 - sure) / 26)
    probs[range(len(path)), path] = sure
    return np.log(probs).astype(np.float32)
