"""Batches of an endless run are shared among processes, and a resumed run goes on where it was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.errors import ConfigError
from speech.train.loop.stream import Stream


class Numbered:
    """Epochs of different sizes; a batch is its epoch and its number."""

    def __init__(self, sizes: list[int]) -> None:
        self.sizes = sizes

    def size(self, epoch: int) -> int:
        return self.sizes[epoch % len(self.sizes)]

    def batch(self, epoch: int, index: int) -> tuple[int, int]:
        assert index < self.size(epoch)
        return epoch, index


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(1, 4), st.integers(0, 9))
def test_processes_together_read_what_one_reads_alone(sizes, ranks, steps):
    alone = list(Stream(Numbered(sizes), 0, steps * ranks))
    parts = [list(Stream(Numbered(sizes), 0, steps, (rank, ranks))) for rank in range(ranks)]
    assert [part[step] for step in range(steps) for part in parts] == alone


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(0, 12), st.integers(0, 12))
def test_a_run_that_resumes_reads_the_rest(sizes, start, more):
    whole = list(Stream(Numbered(sizes), 0, start + more))
    assert list(Stream(Numbered(sizes), start, start + more)) == whole[start:]


def test_epochs_follow_one_another():
    found = list(Stream(Numbered([2, 1]), 0, 5))
    assert found == [(0, 0), (0, 1), (1, 0), (2, 0), (2, 1)]


def test_an_epoch_without_batches_is_an_error_and_no_endless_loop():
    with pytest.raises(ConfigError, match="no batch to train on"):
        list(Stream(Numbered([0]), 0, 1))
