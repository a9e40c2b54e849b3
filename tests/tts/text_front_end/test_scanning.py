"""Claims on a text, and the words around them."""

import re

from speech.tts.text_front_end.scanning import Scan


def test_claimed_text_is_found_by_no_other_rule():
    scan = Scan("12 34 12")
    scan.claim(0, 2, "x")
    assert [found.start() for found in scan.found(re.compile("12"))] == [6]
    assert [found.start() for found in scan.found(re.compile(r"\d\d \d\d"))] == [3]
    assert scan.is_claimed(1)
    assert not scan.is_claimed(2)


def test_claims_come_in_the_order_of_the_text():
    scan = Scan("a b")
    scan.claim(2, 3, "second")
    scan.claim(0, 1, "first")
    assert [claim.spoken for claim in scan.claims] == ["first", "second"]


def test_words_beside_a_place_do_not_cross_punctuation():
    scan = Scan("Ja. In der 3. Klasse")
    around = scan.around(11, 13)
    assert (around.before, around.last, around.after) == ("In der", "der", "Klasse")
    assert scan.around(0, 2).before == ""
