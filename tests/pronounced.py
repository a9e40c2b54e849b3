"""A made-up language in which words are pronounced letter by letter, and pronunciation models of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from speech.models.letter_phonemes import LetterPhonemes, LetterPhonemesConfig
from speech.models.letter_phonemes_checkpoint import LetterPhonemesCheckpoint, save_letter_phonemes_checkpoint
from speech.text.letter_vocabulary import LetterVocabulary

SOUNDS = {"a": "a", "b": "b", "c": "ks", "d": "d", "e": "e"}
SHAPE = {"dim": 16, "layers": 2, "kernel": 3}


def write_corpus(folder: Path, language: str = "eng", texts: int = 40) -> Path:
    """Random words of `SOUNDS`, as `recipes/tts/teacher_pronunciations.py` writes them."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(len(language) + texts)
    for part, count in (("train", texts), ("dev", 8)):
        lines = []
        for _ in range(count):
            words = ["".join(rng.choice(list(SOUNDS), rng.integers(1, 6))) for _ in range(rng.integers(1, 4))]
            symbols = ["".join(SOUNDS[letter] for letter in word) for word in words]
            lines.append(json.dumps({"lang": language, "words": words, "symbols": symbols}) + "\n")
        (folder / f"{part}.jsonl").write_text("".join(lines), "utf-8")
    return folder


def tiny_letter_phonemes() -> LetterPhonemes:
    """A model with random parameters that knows English and German."""
    torch.manual_seed(7)
    vocabulary = LetterVocabulary("abcdeéñß", "abdeksˈː", ("deu", "eng"))
    return LetterPhonemesConfig(**SHAPE).build(vocabulary).eval()


def save_tiny_letter_phonemes(folder: Path) -> Path:
    """Its checkpoint."""
    save_letter_phonemes_checkpoint(folder, LetterPhonemesCheckpoint(tiny_letter_phonemes(), {"note": "tiny"}), card="")
    return folder
