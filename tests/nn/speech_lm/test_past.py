"""The cache: rows of different lengths end together, leave and come."""

import pytest
import torch

from speech.nn.decoder.label import KeysValues
from speech.nn.speech_lm.past import NewPlaces, Past
from speech.nn.streaming import merge, select

CPU = torch.device("cpu")


def past(*lengths: int, mark: float = 0.0) -> Past:
    """Two layers; the number of a place counts from its row's begin, padding is -1."""
    places = max(lengths)
    keys = torch.full((len(lengths), 1, places, 1), -1.0)
    for row, length in enumerate(lengths):
        keys[row, 0, places - length :, 0] = torch.arange(length) + 100 * row + mark
    return Past((KeysValues(keys, keys + 0.5), KeysValues(keys + 1000, keys)), lengths)


def numbers(found: Past, row: int) -> list[float]:
    length = found.lengths[row]
    return found.layers[0].keys[row, 0, found.places - length :, 0].tolist()


def test_rows_are_picked_and_what_only_longer_ones_needed_is_dropped():
    found = select(past(5, 2, 3), [2, 1])
    assert found.lengths == (3, 2)
    assert found.layers[0].keys.shape == found.layers[1].values.shape == (2, 1, 3, 1)
    assert numbers(found, 0) == [200, 201, 202]
    assert numbers(found, 1) == [100, 101]
    assert found.layers[0].keys._is_view() is False


def test_states_of_other_lengths_are_joined():
    found = merge([past(2, 1), past(4, mark=7), past(3, mark=9)])
    assert found.lengths == (2, 1, 4, 3)
    assert found.places == found.layers[0].keys.shape[2] == 4
    assert [numbers(found, row) for row in range(4)] == [[0, 1], [100], [7, 8, 9, 10], [9, 10, 11]]
    assert numbers(select(found, [2]), 0) == [7, 8, 9, 10]


@pytest.mark.parametrize("lengths", [(3, 5, 4), (5, 5), (1,)])
def test_a_step_sees_real_places_and_itself(lengths):
    places = NewPlaces(lengths, 1, CPU)
    assert places.positions[:, 0].tolist() == [length - 1 for length in lengths]
    if min(lengths) == max(lengths):
        assert places.visible is None
    else:
        assert places.visible.shape == (len(lengths), 1, 1, max(lengths))
        assert places.visible[:, 0, 0].sum(dim=1).tolist() == list(lengths)
        assert bool(places.visible[:, 0, 0, -1].all())


def test_a_prompt_is_read_causally_from_where_each_row_begins():
    places = NewPlaces([2, 4], 4, CPU)
    assert places.positions.tolist() == [[0, 0, 0, 1], [0, 1, 2, 3]]
    assert places.visible[1, 0].tolist() == torch.ones(4, 4).bool().tril().tolist()
    assert places.visible[0, 0, 2:].tolist() == [[False, False, True, False], [False, False, True, True]]
    assert bool(places.visible.any(dim=-1).all()), "a softmax over nothing would not be a number"


def test_several_places_after_a_past():
    places = NewPlaces([6, 6], 2, CPU)
    assert places.positions.tolist() == [[4, 5], [4, 5]]
    assert places.visible[0, 0].sum(dim=1).tolist() == [5, 6]
