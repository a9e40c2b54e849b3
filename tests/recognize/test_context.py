"""What is told before a part: whole words, no more than so many tokens, and nothing that should not go on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.decode.ctc.greedy import TokenSpan
from speech.decode.label.timing import WrittenWord, written_words
from speech.recognize.context import Context, context_tokens, following
from speech.recognize.result import PartResult
from tests.tiny_whisper import tiny_label_tokenizer

TOKENIZER = tiny_label_tokenizer()


def says(text: str, language: str | None = "deu", sure: float | None = -0.1) -> PartResult:
    words = tuple(WrittenWord(word, n, n) for n, word in enumerate(written_words(text)))
    return PartResult(
        [TokenSpan(0, n, n + 1, 1.0) for n in range(len(words))],
        None,
        9,
        1.0,
        written=words,
        language=language,
        sure=sure,
    )


def after(*parts: PartResult, most: int = 60) -> Context | None:
    before = None
    for part in parts:
        before = following(before, part, TOKENIZER, most, -0.5)
    return before


def text(found: Context | None) -> str | None:
    return None if found is None else found.text


@given(st.lists(st.text("abcßé 在, .", max_size=30), max_size=6), st.integers(0, 40), st.sampled_from(["deu", "eng"]))
def test_it_is_the_end_of_what_was_said_in_whole_words_and_no_longer_than_allowed(texts, most, language):
    found = after(*(says(text, language) for text in texts), most=most)
    if found is None:
        return
    said = [word for text in texts for word in written_words(text)]
    assert list(found.words) == said[len(said) - len(found.words) :]
    assert 0 < len(context_tokens(found, TOKENIZER)) <= most
    assert found.language == language


def test_parts_follow_each_other_and_the_oldest_words_go_first():
    assert text(after(says("Der Hund"), says("läuft."))) == "Der Hund läuft."
    assert text(after(says("Der Hund"), says("läuft."), most=13)) == "Hund läuft."
    assert after(says("Donaudampfschiff"), most=10) is None  # no part of a word
    assert context_tokens(Context("deu", ("Der", "Hund")), TOKENIZER) == TOKENIZER.encode(" Der Hund")


def test_scripts_without_spaces_have_none():
    assert text(after(says("在在 ab 在"), most=30)) == "在在ab在"


@pytest.mark.parametrize(
    "broken",
    [
        says(""),  # nobody has spoken, or nothing was written
        says("Der Hund", sure=-0.6),
        says("Der Hund", sure=None),
        says("Der Hund", language=None),
        says("Der Hund", language="fra"),  # which the decoder does not know
        PartResult([TokenSpan(0, 0, 1, 1.0)], None, 9, 1.0),  # CTC has written it
        says("no no no no no"),
    ],
)
def test_what_should_not_go_on_ends_it_and_the_next_part_begins_anew(broken):
    assert after(says("Es war."), broken) is None
    assert text(after(says("Es war."), broken, says("Und"))) == "Und"


def test_a_phrase_that_comes_again_and_again_is_not_told():
    assert text(after(*[says("Danke.")] * 2)) == "Danke. Danke."
    assert after(*[says("Danke.")] * 3) is None


def test_in_another_language_it_begins_anew():
    assert after(says("Es war."), says("It was.", "eng")) == Context("eng", ("It", "was."))


@pytest.mark.parametrize(
    ("told", "copied"),
    [
        ("Dann war es eine KATZE und mehr", False), ("Es war. Eine Katze", True), ("war eine Katze", True),
        ("Katze.", True), ("eine Katze", True), ("Hund", False), ("", False), ("...", False),
        ("Es war ein Hund, eine Katze", False),
    ],
)  # fmt: skip
def test_several_words_running_may_have_been_copied(told, copied):
    assert Context("deu", ("Es", "war", "eine", "Katze,")).copied(told) is copied
