from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.transcript import Word
from speech.translate.hold_n import HoldN
from speech.translate.local_agreement import LocalAgreement
from speech.translate.text.word_drafts import WordDrafts, continuation

TEXTS = st.lists(st.sampled_from("abcd"), max_size=8)


def words(text: str, start_s: float = 0.0) -> list[Word]:
    return [Word(word, start_s + n, start_s + n + 1.0, 1.0, "fra") for n, word in enumerate(text.split())]


def said(drafts: WordDrafts) -> str:
    return " ".join(word.text for word in drafts.written)


def test_words_are_written_once_two_drafts_agree_on_them():
    drafts = WordDrafts()
    assert not drafts.take(words("le chien court"), 2.0, LocalAgreement())
    assert drafts.take(words("le chien dort dans"), 3.0, LocalAgreement())
    assert said(drafts) == "le chien"
    assert drafts.take(words("le chien dort dans la maison"), 4.0, LocalAgreement())
    assert said(drafts) == "le chien dort dans"


def test_the_last_word_is_held_back():
    drafts = WordDrafts()
    for _ in range(3):
        drafts.take(words("le chien court"), 2.0, LocalAgreement())
    assert said(drafts) == "le chien"


def test_three_drafts_have_to_agree_if_three_are_asked():
    drafts = WordDrafts()
    found = [drafts.take(words("le chien court vite"), 2.0, LocalAgreement(n=3)) for _ in range(3)]
    assert found == [False, False, True]


@pytest.mark.parametrize(
    ("written", "text", "following"),
    [
        ("", "le chien", "le chien"),
        ("le chien", "le chien court vite", "court vite"),
        ("le chien", "un chien court", "court"),
        ("le chien", "le gros chien court", "court"),
        ("le gros chien", "le chien court", "court"),
        ("le chien court", "le chien", ""),
        ("le chien", "tout autre texte ici", "texte ici"),
    ],
)
def test_a_translation_that_words_the_beginning_differently_is_continued(written, text, following):
    assert text.split()[continuation(written.split(), text.split()) :] == following.split()


def test_the_final_continues_what_is_written():
    drafts = WordDrafts()
    for _ in range(2):
        drafts.take(words("le chien court dans"), 2.0, LocalAgreement())
    assert (
        " ".join(word.text for word in drafts.finish(words("un chien court très vite"))) == "le chien court très vite"
    )


def test_words_follow_each_other_in_time():
    drafts = WordDrafts()
    drafts.take(words("le chien court dans la maison", start_s=5.0), 2.0, HoldN(n=2))
    found = drafts.finish(words("le chien court dans la maison", start_s=0.0))
    assert all(before.end_s <= after.start_s or before.end_s == after.end_s for before, after in pairwise(found))
    assert all(word.start_s <= word.end_s for word in found)


@given(st.lists(TEXTS, min_size=1, max_size=6), TEXTS)
def test_nothing_that_is_written_is_taken_back(texts, last):
    drafts, before = WordDrafts(), []
    for text in texts:
        drafts.take(words(" ".join(text)), 2.0, LocalAgreement())
        assert drafts.written[: len(before)] == before
        before = list(drafts.written)
    assert drafts.finish(words(" ".join(last)))[: len(before)] == before
