"""A tiny label decoder, and a CTC that hears what it is told to."""

import numpy as np
import pytest

from speech.decode.label.joint import JointConfig
from speech.recognize.label_part import Judged
from speech.recognize.label_pass import LabelPass
from tests.tiny_hybrid import latin_whisper, letters_tokenizer
from tests.tiny_whisper import tiny_label_tokenizer


@pytest.fixture(scope="module")
def ctc():
    return letters_tokenizer()


@pytest.fixture(scope="module")
def whisper():
    return latin_whisper()


@pytest.fixture
def make(whisper):
    def made(**config) -> LabelPass:
        return LabelPass(whisper, tiny_label_tokenizer(), JointConfig(**config))

    return made


@pytest.fixture
def heard(ctc):
    """Two seconds in which CTC hears a text, a token in every third frame."""

    def judged(text, frames=100, sure=0.9) -> Judged:
        probs = np.full((frames, len(ctc.vocabulary)), (1 - sure) / len(ctc.vocabulary))
        probs[:, 0] = sure
        for place, token in enumerate(ctc.encode(text)):
            probs[3 * place + 1] = (1 - sure) / len(ctc.vocabulary)
            probs[3 * place + 1, token] = sure
        return Judged(np.log(probs).astype(np.float32), (text,), ctc, 0.02)

    return judged
