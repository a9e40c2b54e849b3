"""What of a translation is said together, and when."""

from hypothesis import given
from hypothesis import strategies as st

from speech.interpret.clauses import Clauses, source_span
from speech.interpret.settings import InterpretSettings
from tests.interpret.written import translation, words

SETTINGS = InterpretSettings(patience_s=2.0, least_words=4)
TEXT = "Well, the man, who is too tall, buys a car for Dr. Smith. He likes it, or so they say"


def taken(clauses):
    found = []
    while clauses:
        found.append(clauses.take().text)
    return found


def test_sentences_and_long_clauses_are_said():
    clauses = Clauses(SETTINGS)
    clauses.hear(translation("Well, the"), 0.0)
    assert not clauses
    clauses.hear(translation("Well, the man, who"), 0.5)
    assert not clauses
    clauses.hear(translation("Well, the man, who is too tall, buys"), 1.0)
    assert taken(clauses) == ["Well, the man, who is too tall,"]
    clauses.hear(translation(TEXT), 2.0)
    assert taken(clauses) == ["buys a car for Dr. Smith."]
    clauses.hear(translation(TEXT, final=True), 3.0)
    assert taken(clauses) == ["He likes it, or so they say"]


def test_words_that_may_be_taken_back_are_not_said():
    clauses = Clauses(SETTINGS)
    clauses.hear(translation("It is a cat. No, a dog.", stable=4), 0.0)
    assert taken(clauses) == ["It is a cat."]
    clauses.hear(translation("It is a cat. And a bird.", final=True), 1.0)
    assert taken(clauses) == ["And a bird."]


def test_what_is_ready_of_one_sentence_is_said_together():
    clauses = Clauses(SETTINGS)
    clauses.hear(translation("When it rains here, we all stay at home. And you?", final=True), 0.0)
    assert taken(clauses) == ["When it rains here, we all stay at home.", "And you?"]


def test_a_segment_that_begins_ends_the_one_before():
    clauses = Clauses(SETTINGS)
    clauses.hear(translation("Never ended"), 0.0)
    clauses.hear(translation("Next", segment=1), 1.0)
    assert taken(clauses) == ["Never ended"]
    clauses.flush(2.0)
    assert taken(clauses) == ["Next"]


def test_patience_ends_with_all_but_the_last_word():
    clauses = Clauses(SETTINGS)
    clauses.hear(translation("One two three four"), 1.0)
    assert clauses.waits_until_s is None
    clauses.hear(translation("One two three four five"), 1.5)
    assert clauses.waits_until_s == 3.0
    clauses.cut()
    assert taken(clauses) == ["One two three four"]
    assert clauses.waits_until_s is None
    clauses.flush(4.0)
    assert taken(clauses) == ["five"]


def test_spaces_before_punctuation_are_not_said():
    clauses = Clauses(SETTINGS)
    clauses.hear(translation("it 's full , so what ?", final=True), 0.0)
    assert taken(clauses) == ["it's full, so what?"]


def test_the_speech_that_words_translate():
    assert source_span(words("a b c", begin_s=1.0)) == (1.0, 2.2)


@given(st.lists(st.integers(1, 24), max_size=8), st.lists(st.booleans(), min_size=8, max_size=8))
def test_nothing_is_left_out_or_said_twice(lengths, cuts):
    """Whenever it is written and whatever is cut for want of patience, the words are those of the text."""
    clauses, said, now = Clauses(SETTINGS), [], 0.0
    for segment in range(2):
        for length, cut in zip(sorted(lengths), cuts, strict=False):
            now += 1.0
            clauses.hear(translation(" ".join(TEXT.split()[:length]), segment=segment), now)
            if cut and not clauses and clauses.waits_until_s is not None:
                clauses.cut()
            said += taken(clauses)
        clauses.hear(translation(TEXT, segment=segment, final=True), now)
        said += taken(clauses)
    assert " ".join(said) == f"{TEXT} {TEXT}"
