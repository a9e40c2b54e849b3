"""Segments cover a stream exactly once, whatever the sizes of its pieces."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speech.audio.vad import Vad
from speech.decode.endpoint import EndpointConfig, Reason
from speech.recognize.parts import Part, PartCutter, SampleBuffer

GRID = 320
CONFIG = EndpointConfig(soft_s=1.0, idle_s=1.5, max_s=2.0)


@pytest.fixture(scope="module")
def vad() -> Vad:
    return Vad()


def cut(vad: Vad, audio: np.ndarray, sizes: list[int], config: EndpointConfig = CONFIG) -> list[Part]:
    segmenter = PartCutter(vad, config, grid=GRID, context_s=0.3)
    segments, start = [], 0
    for size in sizes:
        segments += segmenter.accept(audio[start : start + size])
        start += size
    segments += segmenter.accept(audio[start:])
    last = segmenter.finish()
    return segments if last is None else [*segments, last]


def check(segments: list[Part], audio: np.ndarray) -> None:
    covered = 0
    for segment in segments:
        begin, end = segment.start + segment.keep_start, segment.start + segment.keep_end
        assert begin == covered
        assert begin % GRID == segment.start % GRID == 0
        assert begin <= segment.speech_end <= end
        assert end > begin
        assert np.array_equal(segment.samples, audio[segment.start : segment.start + len(segment.samples)])
        covered = end
    assert covered == len(audio)


@settings(max_examples=25, deadline=None)
@given(sizes=st.lists(st.one_of(st.integers(0, 3), st.integers(1, 700), st.integers(700, 60_000)), max_size=12))
def test_pieces_of_any_size_give_the_same_segments(vad, speech, sizes):
    whole, pieces = cut(vad, speech, []), cut(vad, speech, sizes)
    check(pieces, speech)
    assert len(whole) == len(pieces) > 2
    for one, other in zip(whole, pieces, strict=True):
        assert (one.start, one.keep_start, one.keep_end, one.speech_end, one.reason) == (
            other.start, other.keep_start, other.keep_end, other.speech_end, other.reason,
        )  # fmt: skip
        assert np.array_equal(one.samples, other.samples)


class HearsWhatIsLoud(Vad):
    def steps(self, frames, state):
        return np.where(np.abs(frames).max(axis=1) > 0.01, 0.9, 0.0), state


def test_an_expected_segment_is_the_one_that_comes_if_nobody_speaks_on():
    rng = np.random.default_rng(0)
    spoken = rng.uniform(0.02, 0.5, 512 * 40).astype(np.float32)
    pauses = [np.zeros(512 * frames, np.float32) for frames in (20, 13, 11, 15, 16, 14, 30)]
    audio = np.concatenate([piece for pause in pauses for piece in (spoken, pause)])
    segmenter = PartCutter(HearsWhatIsLoud(), EndpointConfig(), grid=GRID)
    expected: Part | None = None
    right = wrong = 0
    for start in range(0, len(audio), 512):
        ended = segmenter.accept(audio[start : start + 512])
        for segment in ended:
            assert expected is not None
            assert segment.place == expected.place
            assert np.array_equal(segment.samples, expected.samples)
            assert (segment.speech_end, segment.silent) == (expected.speech_end, expected.silent)
        now = segmenter.expected()
        right += len(ended)
        wrong += expected is not None and now is None and not ended
        expected = now
    assert (right, wrong) == (3, 3)  # after pauses of 16 frames and more; of 13, 14 and 15


def test_what_is_left_of_a_stream_is_said_also_if_a_pause_would_end_a_segment_with_it():
    loud = np.full(512 * 40, 0.5, np.float32)
    quiet = np.zeros(512 * 15 + 100, np.float32)  # the sixteenth frame, which is not whole, would complete the pause
    segmenter = PartCutter(HearsWhatIsLoud(), EndpointConfig(silence_s=16 * 512 / 16_000), grid=GRID)
    assert segmenter.accept(np.concatenate([loud, quiet])) == []
    last = segmenter.finish()
    assert not last.silent
    assert (last.keep_start, last.keep_end) == (0, len(loud) + len(quiet))
    assert last.speech_end == len(loud)


def test_in_a_pause_a_segment_hears_nothing_beyond_its_cut(vad, speech):
    pauses = [segment for segment in cut(vad, speech, [], EndpointConfig()) if segment.quiet and not segment.last]
    assert pauses
    assert all(len(segment.samples) == segment.keep_end for segment in pauses)


def test_what_follows_a_pause_does_not_hear_what_was_said_before(vad, speech):
    segments = cut(vad, speech, [], EndpointConfig())
    pauses = [(a, b) for a, b in pairwise(segments) if a.reason is Reason.silence]
    assert pauses
    for before, after in pauses:
        assert after.start >= before.speech_end


def test_speech_without_pauses_hears_beyond_the_cut(vad, speech):
    loud = np.concatenate([speech[:12_000]] * 8)
    segments = cut(vad, loud, [], EndpointConfig(soft_s=1.0, max_s=2.0, silence_s=0.9, soft_silence_s=0.9))
    check(segments, loud)
    hard = [s for s in segments if s.reason is Reason.max_length]
    assert hard
    assert any(len(s.samples) > s.keep_end for s in hard)


def test_flush_ends_the_segment_at_the_last_whole_frame(vad, speech):
    segmenter = PartCutter(vad, EndpointConfig(), grid=GRID)
    assert segmenter.flush() is None
    segmenter.accept(speech[:7000])
    segment = segmenter.flush()
    assert segment is not None
    assert (segment.keep_end, segment.reason) == (7000 // GRID * GRID, Reason.client)
    assert segmenter.flush() is None
    assert segmenter.begin == 6720
    last = segmenter.finish()
    assert last is not None
    assert last.start + last.keep_end == 7000


def test_a_stream_without_samples_is_one_empty_segment(vad):
    segmenter = PartCutter(vad, CONFIG, grid=GRID)
    last = segmenter.finish()
    assert last is not None
    assert last.last
    assert len(last.samples) == 0


@given(st.lists(st.integers(0, 40_000), max_size=6))
def test_a_buffer_keeps_what_is_not_dropped(sizes):
    buffer, audio = SampleBuffer(), np.empty(0, np.float32)
    for number, size in enumerate(sizes):
        more = np.full(size, number, np.float32)
        buffer.append(more)
        audio = np.concatenate([audio, more])
        buffer.drop(max(buffer.start, buffer.end - 9000))
        assert buffer.end == len(audio)
        assert np.array_equal(buffer.between(buffer.start, buffer.end), audio[buffer.start :])


@settings(max_examples=60, deadline=None)
@given(
    acts=st.lists(st.one_of(st.just(0), st.integers(1, 700), st.integers(5000, 20_000)), min_size=1, max_size=25),
    loud=st.booleans(),
    seed=st.integers(0, 9),
)
def test_segments_may_be_ended_at_any_time_and_often(vad, acts, loud, seed):
    pieces = [700, *acts]
    noise = np.random.default_rng(seed).normal(0, 0.1 if loud else 1e-4, sum(pieces)).astype(np.float32)
    segmenter = PartCutter(vad, CONFIG, grid=GRID, context_s=0.3)
    ended: list[Part | None] = []
    start = 0
    for size in pieces:  # 0: end it here
        ended += segmenter.accept(noise[start : start + size]) if size else [segmenter.flush()]
        start += size
    check([segment for segment in [*ended, segmenter.finish()] if segment is not None], noise)


def test_a_segment_answers_for_its_frames_between_what_is_kept():
    one = Part(3200, np.zeros(6400, np.float32), 640, 3200, 5000, True, False, 9600, Reason.silence)
    assert one.span(320, 20) == (2, 10)
    assert replace(one, reason=Reason.stop).span(320, 20) == (2, 20)
