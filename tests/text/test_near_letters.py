"""Letters and what they sound like, by their names."""

import numpy as np
import pytest

from speech.text.near_letters import LEAST, likeness, sounds
from speech.text.vocabulary import WORD_START

LATIN = list("abcdefghijklmnopqrstuvwxyz")


def best(token: str, pieces: list[str], most: int = 1) -> set[str]:
    row = likeness([token], pieces)[0]
    order = np.argsort(-row, kind="stable")
    return {pieces[n] for n in order if row[n] >= LEAST and row[n] >= row[order[most - 1]]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("αβγδεζηθικλμνξοπρστυφχψως", "avgdezitiklmnksoprstifxpsos"),
        ("ρήγας", "rigas"),
        ("щука", "ʃuka"),
        ("ёжик", "joʒik"),
        ("საქართველო", "sakartvelo"),
        ("հայերեն", "hajeren"),
        ("שלום", "ʃlvm"),
        ("ಕನ್ನಡ", "knnd"),
        ("ひらがな", "hiragana"),
        ("한글", "hangeul"),
        ("straße", "strase"),
        ("你好 12!", ""),
    ],
)
def test_letters_sound_as_their_names_begin_or_as_the_table_says(text, expected):
    assert sounds(text) == expected


@pytest.mark.parametrize(
    ("letter", "near"),
    [("α", "a"), ("η", "iy"), ("ρ", "r"), ("χ", "chkq"), ("ω", "o"), ("θ", "t"), ("φ", "f"), ("ξ", "x"),
     ("ბ", "b"), ("ღ", "gh"), ("შ", "s"), ("一", ""), ("\u094d", "")],
)  # fmt: skip
def test_letters_of_other_scripts_are_near_by_sound(letter, near):
    assert best(letter, LATIN) == set(near)


def test_a_sound_of_two_is_near_to_both_and_nearer_to_a_piece_with_both():
    assert best("ψ", LATIN) == set("ps")
    assert best("ψ", [*LATIN, "ps"]) == {"ps"}
    assert best("ου", ["o", "u", "oi", "y"]) == {"oi"}


def test_a_letter_without_its_mark_is_nearest_of_all():
    assert best("ά", [*LATIN, "а", "α"]) == {"α"}
    assert best("ς", ["s", "σ"]) == {"σ"}
    assert best("ž", LATIN) == {"z"}
    assert likeness(["ά"], ["α"])[0, 0] == 1.0


def test_pieces_that_begin_a_word_are_near_to_tokens_that_do():
    assert best(f"{WORD_START}β", ["v", f"{WORD_START}v"]) == {f"{WORD_START}v"}
    assert best("β", ["v", f"{WORD_START}v"]) == {"v"}


def test_nothing_is_near_to_nothing():
    assert likeness([], LATIN).shape == (0, 26)
    assert likeness(["a"], []).shape == (1, 0)
