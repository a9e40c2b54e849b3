"""Words of another text stand where CTC hears them much better; all else stays as it was written."""

import numpy as np
import pytest

from speech.decode.label.combination import WordDifference, combine, differences
from speech.decode.label.joint import Spelling
from tests.decode.label.spelled import saying, spell


@pytest.mark.parametrize(
    ("words", "other", "expected"),
    [
        ("", "", []),
        ("a b c", "a b c", []),
        ("une rose", "delka de ros", [(0, 1, 0, 2), (1, 2, 2, 3)]),
        ("un nouveau projet", "un nuovo progetto", [(1, 2, 1, 2), (2, 3, 2, 3)]),
        ("one two", "one", [(1, 2, 1, 1)]),
        ("one", "one two", [(1, 1, 1, 2)]),
        ("", "one", [(0, 0, 0, 1)]),
        ("black", "white", [(0, 1, 0, 1)]),
    ],
)
def test_texts_differ_in_places_and_words_spelled_alike_are_places_of_their_own(words, other, expected):
    assert differences(words.split(), other.split()) == [WordDifference(*place) for place in expected]


@pytest.mark.parametrize(
    ("text", "other", "price", "expected"),
    [
        ("Le hund.", "der hund", 5.0, "Der hund."),  # the capital and the signs of what was there
        ("Le hund.", "der hund", 1e3, "Le hund."),
        ("der Katze.", "der hund", 5.0, "der hund."),
        ("Der hunt.", "der hund", 0.1, "Der hund."),
        ("Der hund, der hund", "der hund", 5.0, "Der hund,"),  # what nobody has said
        ("Der.", "der hund", 5.0, "Der. hund"),
        ("Der Hund!", "der hund", 0.0, "Der Hund!"),
        ("", "der hund", 0.0, ""),
        ("Der hund", "", 5.0, "Der hund"),
    ],
)
def test_words_are_taken_where_ctc_hears_them_better_by_the_price(text, other, price, expected):
    assert combine(text, other, saying("_d_e_r___h_u_n_d_"), spell, price) == expected


def test_each_place_is_decided_by_itself():
    heard = saying("_d_e_l_k_a___c_i_t_r_o_n_")
    assert combine("Le citron.", "delka siseron", heard, spell, 5.0) == "Delka citron."


def test_characters_that_stand_alone_have_no_space_beside_them():
    letters = "电脑email好"

    def spelled(text: str) -> Spelling:
        assert " " not in text
        return Spelling(tuple(1 + letters.index(character) for character in text if character in letters), 0)

    probs = np.full((2 * len(letters), len(letters) + 1), 0.01)
    for place in range(len(letters)):
        probs[2 * place, 1 + place] = probs[2 * place + 1, 0] = 0.9
    assert combine("电脑一好", "电脑email好", np.log(probs).astype(np.float32), spelled, 5.0) == "电脑email好"
