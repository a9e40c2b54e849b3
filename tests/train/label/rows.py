"""Speech for the tests of label batches: a few utterances, with and without translations, word times and words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from speech.audio import SAMPLE_RATE
from speech.data.manifest import Utterance
from speech.train.label.config import LabelDataConfig
from speech.transcript import Word
from tests.tiny_whisper import tiny_label_tokenizer

MOST_TOKENS = 40
TOKENIZER = tiny_label_tokenizer()


def utterance(folder: Path, name: str, text: str, language: str = "eng", **more: Any) -> Utterance:
    """Half a second of noise, of its own loudness, and a claim of what it says."""
    path = folder / f"{name}.wav"
    rng = np.random.default_rng(sum(name.encode()))
    soundfile.write(path, 0.1 * rng.standard_normal(SAMPLE_RATE // 2).astype(np.float32), SAMPLE_RATE)
    fields = {"duration_s": 0.5, "source": "noise", "licence": "CC0"} | more
    return Utterance(id=name, audio=path, language=language, text=text, **fields)


def words(*texts: str) -> tuple[Word, ...]:
    """Each takes a tenth of a second."""
    return tuple(Word(text, 0.1 * n, 0.1 * (n + 1), 1.0, "eng") for n, text in enumerate(texts))


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> list[Utterance]:
    """Two of German, both translated, and four of English, one of them with word times."""
    folder = tmp_path_factory.mktemp("speech")
    return [
        utterance(folder, "d1", "Eins", "deu", translations={"eng": "One"}),
        utterance(folder, "d2", "Zwei", "deu", translations={"eng": "Two"}),
        utterance(folder, "e1", "One, two"),
        utterance(folder, "e2", "A b c.", words=words("A", "b", "c.")),
        utterance(folder, "e3", "Three"),
        utterance(folder, "e4", "Four"),
    ]


def settings(**changes: Any) -> LabelDataConfig:
    """Single clips as they are, unless told otherwise."""
    plain = {"epoch": 4, "single": 3, "drawn": 6, "joined": 0.0, "translate": 0.0, "nonspeech": 0.0, "cut": 0.0}
    return LabelDataConfig(**(plain | {"augment": 0.0} | changes))
