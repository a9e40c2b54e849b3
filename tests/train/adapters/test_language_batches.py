"""Batches of the languages in turn; each is read as if it were alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.errors import ConfigError
from speech.train.adapters.language_batches import LanguageBatches


class Part:
    """Epochs of these sizes; a batch is the language, the epoch and its number."""

    def __init__(self, code: str, sizes: list[int]) -> None:
        self.code, self.sizes = code, sizes

    def size(self, epoch: int) -> int:
        return self.sizes[epoch]

    def batch(self, epoch: int, index: int) -> tuple[str, int, int]:
        assert 0 <= index < self.sizes[epoch]
        return self.code, epoch, index


SIZES = st.lists(st.integers(1, 4), min_size=2, max_size=2)


@given(SIZES, SIZES, st.integers(0, 40))
def test_languages_take_turns_and_do_not_depend_on_each_other(german, italian, number):
    both = LanguageBatches([Part("deu", german), Part("ita", italian)], 2)
    alone = LanguageBatches([Part("ita", italian)], 2)
    assert both.batch(0, 2 * number)[0] == "deu"
    assert both.batch(0, 2 * number + 1) == alone.batch(0, number)


@given(SIZES)
def test_an_epoch_has_each_batch_once_and_later_ones_are_the_first_again_in_another_order(sizes):
    batches = LanguageBatches([Part("deu", sizes)], 2)
    read = [batches.batch(0, n) for n in range(3 * sum(sizes))]
    start = 0
    for epoch in range(6):
        count = sizes[epoch % 2]
        found = read[start : start + count]
        assert sorted(found) == [("deu", epoch % 2, n) for n in range(count)]
        start += count
    backwards = LanguageBatches([Part("deu", sizes)], 2)
    assert [backwards.batch(0, n) for n in reversed(range(len(read)))] == read[::-1]


def test_a_language_without_batches_is_refused():
    with pytest.raises(ConfigError, match="a language has no batch to train on"):
        LanguageBatches([Part("deu", [2, 2]), Part("ita", [0, 0])], 2)
