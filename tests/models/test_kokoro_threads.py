"""The voice of the package says the same on one core and on several."""

import numpy as np
import pytest
import torch

from speech import Speaker, SpeakingOptions
from speech.tts.watermark import WatermarkChoice

TEXTS = (
    "The first customer bought seventeen pies.",
    "Yes.",
    "Nobody knew which of the two trains would leave at noon, and why.",
)


@pytest.fixture
def threads():
    """Sets the number of threads; it is restored."""
    own = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(own)


def test_a_text_lasts_as_long_and_sounds_alike(threads):
    """Exactly with AMX; elsewhere sums differ in the last bits."""
    speaker, said = Speaker.from_pretrained(watermark=WatermarkChoice(on=False)), []
    for count in (1, 2, 4):
        threads(count)
        said.append([speaker.say(text, SpeakingOptions(language="eng")) for text in TEXTS])
    for one, *others in zip(*said, strict=True):
        for other in others:
            assert other.words == one.words
            assert len(other.samples) == len(one.samples)
            assert np.abs(other.samples - one.samples).max() < 0.02
