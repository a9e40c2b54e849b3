"""Claims and the text between them become one text with places."""

from speech.tts.text_front_end.spoken_form import Claim, SpokenForm, SpokenWord, written_out


def test_claims_replace_what_they_cover():
    form = written_out("a 12b, c", [Claim(2, 4, "twelve")])
    assert form.text == "a twelve b, c"
    assert [(word.text, word.source_start, word.source_end) for word in form.words] == [
        ("a", 0, 1), ("twelve", 2, 4), ("b", 4, 5), ("c", 7, 8),
    ]  # fmt: skip


def test_space_is_single_and_marks_stay_behind_their_word():
    assert written_out("  Oui \n ! \u200b\ufeff", []).text == "Oui!"


def test_joiners_within_words_are_kept_and_variation_selectors_are_not():
    assert written_out("می\u200cخواهم", []).text == "می\u200cخواهم"
    assert written_out("a\ufe0f", []).text == "a"


def test_ornaments_are_left_out_and_named():
    form = written_out("a **b** ☃", [])
    assert form.text == "a b"
    assert form.unspoken == ((2, 4), (5, 7), (8, 9))


def test_an_empty_claim_is_the_end_of_a_word():
    assert [word.text for word in written_out("and/or", [Claim(3, 4, "")]).words] == ["and", "or"]


def test_places_can_be_those_of_another_text():
    form = SpokenForm("one", (SpokenWord("one", 0, 0, 2),), ((2, 3),))
    mapped = form.mapped([5, 7, 9], [6, 9, 12])
    assert (mapped.words[0].source_start, mapped.words[0].source_end) == (5, 9)
    assert mapped.unspoken == ((9, 12),)


def test_punctuation_is_no_part_of_a_word():
    form = written_out("«Hi», (you)!", [])
    assert [(word.text, word.start, word.end) for word in form.words] == [("Hi", 1, 3), ("you", 7, 10)]
