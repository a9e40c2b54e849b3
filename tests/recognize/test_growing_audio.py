"""Audio that grows: its frames do not depend on how it grew, and are nearly those of the whole."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from speech.audio import SAMPLE_RATE
from speech.models.whisper import GROWTH
from speech.recognize.growing_audio import GrowingAudio
from speech.recognize.label_part import TAIL_S, LabelPart
from tests.tiny_whisper import tiny_whisper

FRAME = 320
CHUNK, NEEDED = GROWTH.size * FRAME, (GROWTH.size + GROWTH.right_context) * FRAME
CLOSE = {"atol": 1e-4, "rtol": 1e-4}


@pytest.fixture(scope="module")
def whisper():
    return tiny_whisper()


@pytest.fixture(scope="module")
def speech():
    samples = 0.1 * np.random.default_rng(0).standard_normal(9 * SAMPLE_RATE).astype(np.float32)
    samples[:800] *= 5.0  # the log-mel features are clamped to their maximum so far
    return samples


def grown(whisper, samples, ends) -> LabelPart:
    audio = GrowingAudio(0)
    for end in ends:
        part = audio.listen(whisper, samples[:end])
    return part


def test_audio_shorter_than_a_chunk_is_encoded_as_a_whole(whisper, speech):
    found = grown(whisper, speech, [20_000, 33_333, NEEDED - 1])
    whole = LabelPart.listen(whisper, speech[: NEEDED - 1], NEEDED - 1 + round(TAIL_S * SAMPLE_RATE))
    torch.testing.assert_close(found.frames, whole.frames, **CLOSE)
    assert found.seconds == whole.seconds


@given(st.lists(st.integers(1, 8 * SAMPLE_RATE), max_size=6), st.integers(8 * SAMPLE_RATE, 9 * SAMPLE_RATE))
@settings(max_examples=25, deadline=None)
def test_frames_do_not_depend_on_how_the_audio_grew(whisper, speech, ends, end):
    found = grown(whisper, speech, [*sorted(ends), end])
    torch.testing.assert_close(found.frames, grown(whisper, speech, [end]).frames, **CLOSE)
    whole = end + round(TAIL_S * SAMPLE_RATE)
    assert found.frames.shape == LabelPart.listen(whisper, speech[:end], whole).frames.shape


@given(st.lists(st.integers(1, 8 * SAMPLE_RATE), max_size=6))
@settings(max_examples=15, deadline=None)
@torch.inference_mode()
def test_its_decoder_begins_as_with_all_frames(whisper, speech, ends):
    found = grown(whisper, speech, [*sorted(ends), 8 * SAMPLE_RATE])
    for known, new in zip(found.fresh.cross, whisper.begin(found.frames).cross, strict=True):
        torch.testing.assert_close(known.keys, new.keys, **CLOSE)
        torch.testing.assert_close(known.values, new.values, **CLOSE)


def test_a_chunk_is_encoded_once_with_the_audio_right_behind_it(whisper, speech):
    audio = GrowingAudio(0)
    audio.listen(whisper, speech[: NEEDED + 2000])
    assert audio.grown is not None
    first = audio.grown.frames
    assert first.shape[1] == GROWTH.size
    with torch.inference_mode():
        features, lengths = whisper.log_mel(torch.from_numpy(speech)[None], torch.tensor([len(speech)]))
        chunked = whisper.encoder(features, lengths, GROWTH).x
    torch.testing.assert_close(first, chunked[:, : GROWTH.size], **CLOSE)
    audio.listen(whisper, speech)
    torch.testing.assert_close(audio.grown.frames[:, : GROWTH.size], first, atol=0, rtol=0)
