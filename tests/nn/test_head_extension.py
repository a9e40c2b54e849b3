"""Rows of tokens that a head lacks."""

import pytest
import torch
from torch import nn

from speech.errors import ConfigError
from speech.nn.cpu.int8 import int8_copy
from speech.nn.cpu.packed import packed_copy
from speech.nn.ctc import CTCHead
from speech.nn.head_extension import near_rows, random_rows
from speech.text.vocabulary import Vocabulary

PIECES = list("abcdefghijklmnopqrstuvwxyz")
VOCABULARY = Vocabulary.build(["eng", "deu"], [], PIECES, sos_eos=True)


@pytest.fixture(scope="module")
def head() -> CTCHead:
    torch.manual_seed(3)
    return CTCHead(12, len(VOCABULARY)).requires_grad_(False)


def row_of(head: CTCHead, letter: str) -> torch.Tensor:
    return head.linear.weight[VOCABULARY.index[letter]]


def test_a_letter_with_one_near_piece_begins_as_that(head):
    rows, bias = near_rows(head, VOCABULARY, ["φ", "ბ"])
    for number, letter in enumerate("fb"):
        torch.testing.assert_close(rows[number], row_of(head, letter))
        torch.testing.assert_close(bias[number], head.linear.bias[VOCABULARY.index[letter]])


def test_a_letter_between_two_is_their_mean_and_nearer_ones_weigh_more(head):
    rows, _ = near_rows(head, VOCABULARY, ["ღ", "θ"], most=4)
    torch.testing.assert_close(rows[0], (row_of(head, "g") + row_of(head, "h")) / 2)
    share = torch.softmax(torch.tensor([0.9, 0.72]) / 0.1, dim=0)
    torch.testing.assert_close(rows[1], share[0] * row_of(head, "t") + share[1] * row_of(head, "d"))


def test_what_is_near_to_nothing_is_drawn_from_the_rows_that_there_are(head):
    tokens = ["一"] * 4000
    drawn = near_rows(head, VOCABULARY, tokens, generator=torch.Generator().manual_seed(1))
    again = random_rows(head, VOCABULARY, tokens, generator=torch.Generator().manual_seed(1))
    pieces = torch.tensor([VOCABULARY.index[piece] for piece in PIECES])
    rows, bias = head.linear.weight[pieces], head.linear.bias[pieces]
    for found, other in zip(drawn, again, strict=True):
        assert torch.equal(found, other)
    torch.testing.assert_close(drawn[0].mean(dim=0), rows.mean(dim=0), atol=0.02, rtol=0)
    torch.testing.assert_close(drawn[0].std(dim=0), rows.std(dim=0, correction=0), atol=0.02, rtol=0)
    torch.testing.assert_close(drawn[1].std(), bias.std(correction=0), atol=0.02, rtol=0)


def test_they_do_not_depend_on_their_neighbours_except_for_noise(head):
    together = near_rows(head, VOCABULARY, ["α", "β", "γ"])[0]
    for number, letter in enumerate("αβγ"):
        assert torch.equal(near_rows(head, VOCABULARY, [letter])[0][0], together[number])
    assert [tuple(part.shape) for part in near_rows(head, VOCABULARY, [])] == [(0, 12), (0,)]


def test_packed_heads_are_read_and_eight_bits_refused(head):
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.ctc = head

    expected = near_rows(head, VOCABULARY, ["α"])[0]
    torch.testing.assert_close(near_rows(packed_copy(Model()).ctc, VOCABULARY, ["α"])[0], expected)
    with pytest.raises(ConfigError, match="float32"):
        near_rows(int8_copy(Model()).ctc, VOCABULARY, ["α"])
