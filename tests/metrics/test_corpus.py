"""All figures of a corpus come from one alignment, and agree with jiwer and with a plain dynamic programme."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.errors import DataError
from speech.metrics.code_switching import LanguageErrors, PointErrors
from speech.metrics.corpus import Pairing, SilenceErrors, intervals, score_utterance, total
from speech.metrics.edit.alignment import ErrorCounts
from speech.metrics.meaning.saer import Sample

texts = st.text(st.sampled_from("ab c去家"), max_size=12)


def pairing(reference, hypothesis, languages=(), **more):
    return Pairing(Sample(reference, hypothesis, languages, "u1"), **more)


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


@given(st.lists(st.tuples(texts, texts), max_size=5), st.randoms())
def test_sums_of_a_corpus_do_not_depend_on_the_order(pairs, shuffled):
    scores = [score_utterance(pairing(*pair, ("cmn", "eng"))) for pair in pairs]
    mixed = shuffled.sample(scores, len(scores))
    assert total(scores) == total(mixed)


@given(texts)
def test_a_text_against_itself_has_no_errors(text):
    found = total([score_utterance(pairing(text, text, ("cmn", "eng")))])
    counts = (found.words, found.characters, found.mixed, found.points.points, found.points.rest, found.switches)
    assert not any(one.errors for one in counts)
    assert found.attributed.errors == 0


def distance(one, other):
    row = list(range(len(other) + 1))
    for i, wanted in enumerate(one, start=1):
        before, row[0] = row[0], i
        for j, found in enumerate(other, start=1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (wanted != found))
    return row[-1]


def test_ten_thousand_random_cases_agree_with_jiwer_and_with_a_plain_programme():
    jiwer = pytest.importorskip("jiwer")
    rng = random.Random(0)
    words = ["a", "b", "cd", "ef", "去", "家了"]
    sides = [[" ".join(rng.choices(words, k=rng.randint(1, 8))) for _ in range(10_000)] for _ in range(2)]
    mixed = [[" ".join(text.replace("家了", "家 了").split()) for text in side] for side in sides]
    scores = [score_utterance(pairing(*pair, ("eng",))) for pair in zip(*sides, strict=True)]
    for score, one, other in zip(scores, *sides, strict=True):
        assert score.words.errors == distance(one.split(), other.split())
    for score, one, other in zip(scores, *mixed, strict=True):
        assert score.mixed.errors == distance(one.split(), other.split())
    found = total(scores)
    assert found.words.rate == pytest.approx(jiwer.wer(*sides))
    assert found.mixed.rate == pytest.approx(jiwer.wer(*mixed))
    assert found.characters.rate == pytest.approx(jiwer.cer(*[[t.replace(" ", "") for t in side] for side in sides]))


def test_intervals_are_given_for_what_has_units():
    scores = [score_utterance(pairing("a b", "a c")), score_utterance(pairing("a b", "a b"))]
    found = intervals(scores)
    assert set(found) == {"wer", "cer", "mer"}
    assert (found["wer"].low, found["wer"].value, found["wer"].high) == (0.0, 0.25, 0.5)


def test_insertions_where_nothing_was_said_are_counted_apart():
    scores = [score_utterance(pairing(*sides)) for sides in (("", "a bc"), ("...", "d"), ("", ""), ("x", "x y"))]
    assert total(scores).silence == SilenceErrors(3, 3, 4)
    assert total(scores).words == ErrorCounts(0, 0, 4, 1)
    assert total(scores[3:]).silence == SilenceErrors()


def test_capitals_are_read_beside_the_other_side_and_words_keep_their_languages():
    words = (("die", "deu"), ("STRASSE", "deu"), ("tour", "eng"))
    found = score_utterance(pairing("die Straße tour", "die STRASSE tour", ("deu", "eng"), hypothesis_words=words))
    assert found.words.errors == found.characters.errors == 0
    assert found.heard == ("deu", "deu", "eng")
