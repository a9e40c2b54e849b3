"""The time per frame is measured of every model, precision and batch."""

import pytest
from speech_lm import BATCHES, measure, table

from speech.nn.cpu.int8 import int8_runs
from tests.tiny_aligned_ar import tiny_aligned_config
from tests.tiny_dual_ar import tiny_dual_ar_config

pytestmark = pytest.mark.skipif(not int8_runs(), reason="needs the quantised kernels of x86")


def test_every_model_precision_and_batch_has_a_row():
    found = measure(tiny_dual_ar_config(), tiny_aligned_config(), frames=3, rounds=2)
    assert len(found) == len({(row["model"], row["precision"], row["batch"]) for row in found}) == 2 * 4 * len(BATCHES)
    assert all(0 < row["ms"] <= row["p95_ms"] for row in found)
    assert {row["frame_ms"] for row in found} == {10}
    assert table(found).row_count == len(found)
