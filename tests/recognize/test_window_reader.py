"""A file in one window says what the model says of it whole; however it is cut, all of its frames are counted."""

import numpy as np
import pytest
import torch

from speech.decode.ctc.greedy import greedy
from speech.recognize.adapter_tokens import AdapterTokens
from speech.recognize.part_decoder import PartDecoder
from speech.recognize.part_encoder import PartEncoder
from speech.recognize.request import NO_LABEL, Request
from speech.recognize.result import PartResult
from speech.recognize.window_reader import read_windows
from speech.recognize.windows import WindowConfig, windows


@pytest.fixture(scope="module")
def read(model, tokenizer):
    tokens = AdapterTokens(tokenizer)
    encoder = PartEncoder(model, tokens, NO_LABEL, extends=True)
    decoder = PartDecoder(model, tokenizer, greedy, tokens)
    grid = round(model.frame_s * 16_000)

    def reading(samples: np.ndarray, size_s: float, context_s: float) -> PartResult:
        found = windows([samples], WindowConfig(size_s=size_s, context_s=context_s), grid)
        return read_windows(found, Request(), model, encoder, decoder, torch.zeros(len(tokenizer.vocabulary.languages)))

    return reading, encoder, decoder


def test_a_file_in_one_window_says_what_is_said_of_it_whole(read, speech):
    reading, encoder, decoder = read
    samples = speech[:60_000]
    part = encoder.encode([samples], [Request()]).part(0, Request())
    found = reading(samples, 8.0, 0.0)
    assert [(s.id, s.start_frame) for s in found.spans] == [
        (s.id, s.start_frame) for s in decoder.spans([part])[0] if decoder.says(s)
    ]
    torch.testing.assert_close(found.evidence, part.evidence.sum(dim=0), rtol=1e-3, atol=1e-3)
    assert (found.end_s, found.frames) == (60_000 / 16_000, round(60_000 / 640))


def test_windows_count_each_frame_once_and_tell_of_each_token(read, speech):
    found = read[0](speech[:100_000], 2.0, 0.4)
    assert found.frames == round(100_000 / 640)
    starts = [span.start_frame for span in found.spans]
    assert starts == sorted(starts)
    assert starts[-1] > 125
    assert found.told is not None
    assert len(found.told.frames) == len(found.spans)


def test_a_file_without_samples_says_nothing(read):
    found = read[0](np.zeros(0, np.float32), 2.0, 0.4)
    assert (found.spans, found.frames, found.end_s, found.told) == ([], 0, 0.0, None)
