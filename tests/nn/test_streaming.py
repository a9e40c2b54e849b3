"""States are picked and joined by slot."""

import torch

from speech.nn.streaming import Rows, StreamTensors, merge, select


def test_states_are_picked_and_joined_by_slot():
    state = (torch.arange(3), (torch.arange(6).view(3, 2),), StreamTensors(torch.ones(n) for n in range(3)), 7)
    picked = select(state, [2, 0])
    assert picked[0].tolist() == [2, 0]
    assert torch.equal(merge([picked, state])[1][0], torch.tensor([[4, 5], [0, 1], [0, 1], [2, 3], [4, 5]]))
    assert [len(row) for row in merge([picked, state])[2]] == [2, 0, 0, 1, 2]
    assert merge([picked, state])[3] == 7
    assert select(merge([StreamTensors(), StreamTensors()]), [1]) == StreamTensors()


class Numbered(Rows):
    def __init__(self, numbers):
        self.numbers = numbers

    def selected(self, slots):
        return Numbered([self.numbers[slot] for slot in slots])

    def merged(self, others):
        return Numbered(self.numbers + [number for other in others for number in other.numbers])


def test_parts_that_know_their_rows_select_and_merge_them():
    state = (torch.arange(3), Numbered([4, 5, 6]))
    picked = select(state, [2, 0])
    assert picked[1].numbers == [6, 4]
    assert merge([picked, state])[1].numbers == [6, 4, 4, 5, 6]
