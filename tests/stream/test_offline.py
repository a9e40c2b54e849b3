"""Windows cover a file exactly once; batches and blocks do not change what is read."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speech.stream.offline import OfflineConfig, OfflineReader, windows

GRID = 640
SMALL = OfflineConfig(window_s=2.0, context_s=0.5, search_s=0.5, batch_s=12.0)


@settings(max_examples=60, deadline=None)
@given(samples=st.integers(1, 200_000), block=st.integers(1000, 90_000), seed=st.integers(0, 99))
def test_every_sample_is_answered_for_by_exactly_one_window(samples, block, seed):
    audio = np.random.default_rng(seed).standard_normal(samples).astype(np.float32)
    blocks = (audio[start : start + block] for start in range(0, samples, block))
    covered = 0
    for window in windows(0, blocks, SMALL, GRID):
        begin, end = window.start + window.keep_start, window.start + window.keep_end
        assert begin == covered
        assert begin % GRID == 0
        assert window.start % GRID == 0
        assert end > begin
        assert len(window.samples) <= 16000 * (2.0 + 2 * 0.5) + 16000 * 0.5 + GRID
        assert np.array_equal(window.samples, audio[window.start : window.start + len(window.samples)])
        covered = end
    assert window.last
    assert covered == samples


def test_cuts_fall_into_silence():
    audio = np.random.default_rng(0).standard_normal(16000 * 4).astype(np.float32)
    audio[27_000:29_000] = 0.0
    first = next(iter(windows(0, [audio], SMALL, GRID)))
    assert 27_000 <= first.keep_end <= 29_000


@pytest.fixture(scope="module")
def files() -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    return [rng.standard_normal(n).astype(np.float32) * 0.1 for n in (9000, 120_000, 33_333, 61_000, 16_000)]


def test_a_file_alone_and_in_a_batch_reads_the_same(model, files):
    reader = OfflineReader(model, SMALL)
    prefix = (3, model.vocabulary.task_id("asr"))
    together = reader.read([[f] for f in files], [prefix] * len(files))
    for file, reading in zip(files, together, strict=True):
        alone = reader.read([[file]], [prefix])[0]
        assert [(s.id, s.start_frame) for s in alone.spans] == [(s.id, s.start_frame) for s in reading.spans]
        assert reading.samples == len(file)
        assert alone.frames == reading.frames


def test_blocks_do_not_change_what_is_read(model, files):
    reader = OfflineReader(model, SMALL)
    prefix = (3, model.vocabulary.task_id("asr"))
    whole = reader.read([[files[1]]], [prefix])[0]
    pieces = reader.read([[files[1][n : n + 7001] for n in range(0, 120_000, 7001)]], [prefix])[0]
    assert whole.spans == pieces.spans
    assert [s.start_frame for s in whole.spans] == sorted(s.start_frame for s in whole.spans)
