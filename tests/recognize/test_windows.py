"""Windows: every frame of a file is answered for once, whatever the blocks it comes in."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from speech.errors import ConfigError
from speech.recognize.offline import Cut, OfflineConfig
from speech.recognize.request import Request
from speech.recognize.windows import SharedConvolutions, WindowConfig, windows
from speech.recognizer import Recognizer

GRID = 1280


def blocks_of(samples: np.ndarray, sizes: list[int]) -> list[np.ndarray]:
    found, start = [], 0
    while start < len(samples):
        size = sizes[len(found) % len(sizes)]
        found.append(samples[start : start + size])
        start += size
    return found


@given(
    count=st.integers(0, 90_000),
    sizes=st.lists(st.integers(1, 40_000), min_size=1, max_size=4),
    context=st.integers(0, 3),
    padded=st.booleans(),
)
def test_each_frame_is_heard_once_with_its_context(count, sizes, context, padded):
    samples = np.arange(1, count + 1, dtype=np.float32)
    config = WindowConfig(size_s=0.8 + 0.16 * context, context_s=0.08 * context, padded=padded)
    middle, around = config.samples(GRID)
    found = list(windows(blocks_of(samples, sizes), config, GRID))
    assert sum(window.count for window in found) == round(count / GRID)
    assert [window.end_sample for window in found[-1:]] == [count] * bool(count)
    for number, window in enumerate(found):
        begin = number * middle
        start = begin - window.first * GRID
        real = samples[max(start, 0) : begin + middle + around]
        heard = window.samples[window.samples > 0]
        np.testing.assert_array_equal(heard, real)
        assert window.first == (context if padded else min(context, begin // GRID))
        if padded:
            assert len(window.samples) == middle + 2 * around


@pytest.mark.parametrize(("size", "context"), [(4.0, 2.0), (30.0, 1.5), (30.01, 2.0), (8.0, -1.0)])
def test_windows_that_are_no_whole_frames_are_refused(size, context):
    with pytest.raises(ConfigError, match="context"):
        WindowConfig(size_s=size, context_s=context).samples(GRID)


def test_memory_does_not_grow_with_the_file():
    config = WindowConfig(size_s=2.0, context_s=0.4)
    block = np.ones(16_000, np.float32)
    found = windows((block for _ in range(5_000)), config, GRID)
    assert max(len(window.samples) for window in found) == 32_000


@pytest.mark.parametrize("name", ["model", "published"])
def test_text_and_times_do_not_depend_on_blocks(request, name, tokenizer, speech):
    model = request.getfixturevalue(name)
    window = WindowConfig(size_s=3.2, context_s=0.8)
    recognizer = Recognizer(model, tokenizer, OfflineConfig(cut=Cut.windows, window=window))
    whole = recognizer._reader.read([[speech]], Request(("eng",)))[0]
    pieces = recognizer._reader.read([blocks_of(speech, [7001, 333])], Request(("eng",)))[0]
    assert [(part.spans, part.frames, part.end_s) for part in whole] == [
        (part.spans, part.frames, part.end_s) for part in pieces
    ]
    transcript = recognizer.transcribe(speech, language="eng")
    assert transcript.duration_s == len(speech) / 16_000
    starts = [word.start_s for word in transcript.words]
    assert starts == sorted(starts)
    assert all(word.end_s <= transcript.duration_s for word in transcript.words)


@pytest.mark.parametrize("name", ["model", "published"])
@given(count=st.integers(1, 70_000), context=st.integers(0, 6), middle=st.integers(1, 12))
def test_what_windows_share_is_computed_once(request, name, speech, count, context, middle):
    model = request.getfixturevalue(name)
    grid = round(model.frame_s * 16_000)
    config = WindowConfig(size_s=model.frame_s * (middle + 2 * context), context_s=model.frame_s * context)
    samples, asked = speech[:count], []

    class Counted:
        subsampling, device, log_mel = model.subsampling, model.device, model.log_mel

        def subsample(self, samples, lengths):
            asked.append(int(lengths))
            return model.subsample(samples, lengths)

    def frames_of(samples: np.ndarray) -> torch.Tensor:
        with torch.inference_mode():
            x, lengths = model.subsample(torch.from_numpy(samples)[None], torch.tensor([len(samples)]))
        return x[:, : max(int(lengths), 1)]

    shared = SharedConvolutions(Counted())
    edge, unit, whole = shared._edge, 160 * model.encoder.subsampling.factor, frames_of(samples)
    found = list(windows([samples], config, grid))
    overlap = 2 * context * grid >= 3 * edge * unit
    for window in found:
        alone, frames, start = frames_of(window.samples), shared.frames(window), window.start // unit
        assert frames.shape == alone.shape
        if asked[-1] == len(window.samples):  # nothing to share
            torch.testing.assert_close(frames, alone, atol=1e-4, rtol=1e-4)
        else:
            until = frames.shape[1] - (0 if window.start + len(window.samples) == count else edge)
            expected = whole[:, start : start + until]
            torch.testing.assert_close(frames[:, :until], expected, atol=1e-4, rtol=1e-4)
    if overlap:
        assert sum(asked) <= count + len(found) * 3 * edge * unit


def test_an_empty_file_says_nothing(model, tokenizer):
    recognizer = Recognizer(model, tokenizer, OfflineConfig(cut=Cut.windows))
    (heard,) = recognizer._reader.read([[]], Request(("eng",)))[0]
    assert (heard.spans, heard.frames, heard.end_s) == ([], 0, 0.0)
