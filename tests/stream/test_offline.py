"""Segments of many files through one model: batches and blocks do not change what is read."""

import numpy as np
import pytest

from speech.decode.endpoint import EndpointConfig
from speech.stream.offline import OfflineConfig, OfflineReader

SMALL = OfflineConfig(endpoint=EndpointConfig(soft_s=1.0, idle_s=1.5, max_s=2.0), context_s=0.3, batch_s=12.0)


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
        assert [[(s.id, s.start_frame) for s in part.spans] for part in alone.parts] == [
            [(s.id, s.start_frame) for s in part.spans] for part in reading.parts
        ]
        assert reading.samples == len(file)
        assert alone.frames == reading.frames


def test_blocks_do_not_change_what_is_read(model, files):
    reader = OfflineReader(model, SMALL)
    prefix = (3, model.vocabulary.task_id("asr"))
    whole = reader.read([[files[1]]], [prefix])[0]
    pieces = reader.read([[files[1][n : n + 7001] for n in range(0, 120_000, 7001)]], [prefix])[0]
    assert whole.parts == pieces.parts
    assert len(whole.parts) > 3
    starts = [s.start_frame for part in whole.parts for s in part.spans]
    assert starts == sorted(starts)


def test_frames_of_a_file_are_heard_once(model, files):
    reader = OfflineReader(model, SMALL)
    reading, log_probs = reader.listen([files[1]], (3, model.vocabulary.task_id("asr")))
    assert len(log_probs) == reading.frames == -(-len(files[1]) // reader.grid)


def test_an_empty_file_has_one_empty_part(model):
    reading = OfflineReader(model, SMALL).read([[]], [(3, model.vocabulary.task_id("asr"))])[0]
    assert reading.samples == 0
    assert len(reading.parts) == 1
