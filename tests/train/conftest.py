"""The corpus that the tests of training share."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

WORDS = {"eng": ["one", "two", "three", "four"], "deu": ["eins", "zwei", "drei", "vier"]}


@pytest.fixture(scope="session")
def corpus(tmp_path_factory) -> Path:
    """Each word is a chord of its own: a task a model can learn in seconds."""
    root = tmp_path_factory.mktemp("corpus")
    rng = np.random.default_rng(0)
    for part, count in (("train", 48), ("dev", 6), ("test", 8)):
        lines = []
        for number in range(count):
            language = ["eng", "deu"][number % 2]
            spoken = rng.integers(0, 4, size=2)
            tones = []
            for word in spoken:
                time = np.arange(6400) / 16000
                tones.append(
                    sum(np.sin(2 * np.pi * (250 + 350 * word + 90 * (language == "deu")) * k * time) for k in (1, 2))
                )
            samples = (0.1 * np.concatenate(tones) + 0.001 * rng.standard_normal(12800)).astype(np.float32)
            soundfile.write(root / f"{part}{number}.wav", samples, 16000)
            text = " ".join(WORDS[language][word] for word in spoken)
            record = {"id": f"{part}{number}", "audio": f"{part}{number}.wav", "duration": 0.8, "lang": language}
            lines.append(json.dumps(record | {"text": text, "source": "tones", "licence": "CC0"}))
        (root / f"{part}.jsonl").write_text("\n".join(lines) + "\n")
    return root
