"""Segments of many files through one model: batches and blocks do not change what is read."""

import numpy as np
import pytest

from speech.decode.endpoint import EndpointConfig
from speech.recognize.full_context import FullContextPass
from speech.recognize.offline import OfflineConfig, OfflineReader
from speech.recognize.request import Request

SMALL = OfflineConfig(endpoint=EndpointConfig(soft_s=1.0, idle_s=1.5, max_s=2.0), context_s=0.3, batch_s=12.0)


@pytest.fixture(scope="module")
def files(speech) -> list[np.ndarray]:
    return [speech[:9000], speech[:120_000], speech[5000:38_333], speech[-61_000:], speech[-16_000:]]


@pytest.fixture(scope="module")
def reader(model, tokenizer) -> OfflineReader:
    return OfflineReader(FullContextPass(model, tokenizer), SMALL)


def test_a_file_alone_and_in_a_batch_reads_the_same(reader, files):
    together = reader.read([[f] for f in files], Request())
    for file, parts in zip(files, together, strict=True):
        alone = reader.read([[file]], Request())[0]
        assert [[(s.id, s.start_frame) for s in part.spans] for part in alone] == [
            [(s.id, s.start_frame) for s in part.spans] for part in parts
        ]
        assert parts[-1].end_s == len(file) / 16000
        assert [part.frames for part in alone] == [part.frames for part in parts]


def test_blocks_do_not_change_what_is_read(reader, files):
    whole = reader.read([[files[1]]], Request())[0]
    pieces = reader.read([[files[1][n : n + 7001] for n in range(0, 120_000, 7001)]], Request())[0]
    assert [(part.spans, part.frames, part.end_s) for part in whole] == [
        (part.spans, part.frames, part.end_s) for part in pieces
    ]
    assert len(whole) > 3
    starts = [s.start_frame for part in whole for s in part.spans]
    assert starts == sorted(starts)


def test_frames_of_a_file_are_heard_once(reader, files):
    parts, log_probs = reader.listen([files[1]], Request())
    assert len(log_probs) == sum(part.frames for part in parts) == -(-len(files[1]) // reader.second_pass.grid)


def test_an_empty_file_has_one_empty_part(reader):
    parts = reader.read([[]], Request())[0]
    assert [part.end_s for part in parts] == [0.0]
