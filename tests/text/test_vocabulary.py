"""The layout of a vocabulary."""

from dataclasses import replace

import pytest

from speech.errors import LanguageError
from speech.text.vocabulary import Vocabulary

SMALL = Vocabulary.build(["deu", "eng"], ["eng"], ["\u2581a", "b"], sos_eos=True)


def test_tokens_stand_in_the_published_order():
    assert SMALL.tokens == (
        "<blank>", "<unk>", "<na>", "<nolang>", "<deu>", "<eng>", "<asr>", "<st_eng>", "\u2581a", "b",
        "<sos>", "<eos>", "<sop>",
    )  # fmt: skip
    assert (SMALL.blank, SMALL.unk, SMALL.na, SMALL.nolang) == (0, 1, 2, 3)
    assert len(SMALL) == 13


def test_151_languages_and_25_targets_put_tokens_at_their_published_ids():
    languages = [f"l{n:02x}" for n in range(151)]
    targets = [f"t{n:02d}" for n in range(25)]
    vocabulary = Vocabulary.build(languages, targets, [f"p{n}" for n in range(49818)], sos_eos=True)
    assert len(vocabulary) == 50002
    assert (vocabulary.language_ids[0], vocabulary.language_ids[-1]) == (4, 154)
    assert vocabulary.task_id("asr") == 155
    assert (vocabulary.task_id("st", targets[0]), vocabulary.task_id("st", targets[-1])) == (156, 180)
    assert vocabulary.piece_start == 181
    assert [vocabulary.index[token] for token in ("<sos>", "<eos>", "<sop>")] == [49999, 50000, 50001]


def test_ids_and_tokens_are_inverse():
    assert [SMALL.index[token] for token in SMALL.tokens] == list(range(len(SMALL)))
    assert [SMALL.tokens[SMALL.language_id(code)] for code in SMALL.languages] == ["<deu>", "<eng>"]
    assert tuple(SMALL.language_id(code) for code in SMALL.languages) == SMALL.language_ids
    assert SMALL.tokens[SMALL.task_id("asr")] == "<asr>"
    assert SMALL.tokens[SMALL.task_id("st", "eng")] == "<st_eng>"


def test_only_pieces_are_not_special():
    plain = [token for number, token in enumerate(SMALL.tokens) if not SMALL.is_special(number)]
    assert tuple(plain) == SMALL.pieces
    assert SMALL.tokens[SMALL.piece_start] == "\u2581a"


def test_end_tokens_are_left_out_unless_asked_for():
    assert Vocabulary.build(["deu"], [], ["b"]).tokens[-1] == "b"


def test_equal_parts_make_equal_vocabularies():
    assert Vocabulary.build(["deu"], [], ["b"]) == Vocabulary.build(("deu",), (), ("b",))
    assert Vocabulary.build(["deu"], [], ["b"]) != Vocabulary.build(["eng"], [], ["b"])


def test_a_language_the_model_lacks_is_refused_with_those_it_has():
    with pytest.raises(LanguageError, match=r"'fra'.*deu, eng"):
        SMALL.language_id("fra")


@pytest.mark.parametrize(("task", "to"), [("st", "fra"), ("st", None), ("sing", "eng")])
def test_a_task_the_model_lacks_is_refused_with_its_targets(task, to):
    with pytest.raises(LanguageError, match="Translation targets: eng"):
        SMALL.task_id(task, to)


def test_a_model_without_translation_says_so():
    with pytest.raises(LanguageError, match="Translation targets: none"):
        Vocabulary.build(["deu"], [], ["b"]).task_id("st", "eng")


def test_added_tokens_stand_behind_everything_and_are_no_special_ones():
    more = replace(SMALL, added=("\u03b3", "b"))
    assert more.tokens == (*SMALL.tokens, "\u03b3", "b")
    assert [more.is_special(token) for token in range(len(more))] == [
        *(SMALL.is_special(token) for token in range(len(SMALL))),
        False,
        False,
    ]
    assert SMALL.is_special(len(SMALL))
    assert (more.piece_start, more.language_ids) == (SMALL.piece_start, SMALL.language_ids)


def test_of_equal_tokens_the_first_is_found():
    assert replace(SMALL, added=("b", "c", "c")).index == {**SMALL.index, "c": len(SMALL) + 1}
