"""All figures of an utterance come from one alignment, whatever is known of its languages."""

import pytest

from speech.errors import DataError
from speech.metrics.code_switching import LanguageErrors, PointErrors
from speech.metrics.edit.alignment import ErrorCounts
from speech.metrics.utterance import Pairing, score_utterance


def pairing(reference, hypothesis, languages=(), **more):
    return Pairing(reference, hypothesis, languages, "u1", **more)


def test_a_sentence_in_two_scripts_is_counted_in_every_way():
    found = score_utterance(pairing("我们去 coffee shop 吧", "我们去 coffee 吧", ("cmn", "eng")))
    assert found.words == found.mixed
    assert found.characters == ErrorCounts(0, 4, 0, 14)
    assert found.mixed == ErrorCounts(0, 1, 0, 6)
    assert found.points == PointErrors(ErrorCounts(0, 1, 0, 2), ErrorCounts(0, 0, 0, 4))
    assert found.switches == ErrorCounts(0, 1, 0, 4)
    assert found.attributed == LanguageErrors(0, 5)
    assert found.mixing == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("languages", "same_as"), [(("cmn",), "characters"), (("jpn", "tha"), "characters"), ((), "mixed")]
)
def test_wer_counts_what_the_languages_are_written_in(languages, same_as):
    found = score_utterance(pairing("我们去 coffee shop 吧", "我们去 coffe 吧", languages))
    assert found.words == getattr(found, same_as) != ErrorCounts()
    assert found.characters != found.mixed


def test_a_language_with_spaces_has_words_whatever_they_are_written_with():
    found = score_utterance(pairing("we say 我们去 here", "we say 我们 here", ("eng",)))
    assert found.words == ErrorCounts(1, 0, 0, 4)
    assert found.mixed == ErrorCounts(0, 1, 0, 6)


def test_languages_of_words_that_are_given_decide_where_letters_do_not():
    reference = (("das", "deu"), ("Meeting,", "eng"), ("war", "deu"))
    heard = (("das", "deu"), ("meeting", "deu"), ("war", "deu"))
    found = score_utterance(
        pairing(
            "das Meeting, war", "das meeting war", ("deu", "eng"), reference_words=reference, hypothesis_words=heard
        )
    )
    assert found.languages == ("deu", "eng", "deu")
    assert found.points.points == ErrorCounts(0, 0, 0, 1)
    assert found.attributed == LanguageErrors(1, 3)


def test_tagged_points_of_interest_are_taken_as_they_are():
    words = (("die", None), ("New York", None), ("Times", None))
    found = score_utterance(
        pairing("die New York Times", "die new orc times", ("deu",), reference_words=words, points=(1,))
    )
    assert found.points == PointErrors(ErrorCounts(1, 0, 0, 2), ErrorCounts(0, 0, 0, 2))


def test_words_that_are_not_those_of_the_text_are_refused_by_id():
    with pytest.raises(DataError, match="u1: its words are not those of its text"):
        score_utterance(pairing("a b", "a b", reference_words=(("a", "deu"),)))


def test_capitals_are_read_beside_the_other_side_and_words_keep_their_languages():
    words = (("die", "deu"), ("STRASSE", "deu"), ("tour", "eng"))
    found = score_utterance(pairing("die Straße tour", "die STRASSE tour", ("deu", "eng"), hypothesis_words=words))
    assert found.words.errors == found.characters.errors == 0
    assert found.heard == ("deu", "deu", "eng")
