"""No listed word that the speech does not have gets into a draft, whatever the decoder would write."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speech.decode.label.banned import BannedSequences
from speech.decode.label.search import LabelHypothesis
from speech.recognize.draft_decoder import DraftDecoder
from speech.recognize.label_part import LabelPart
from speech.recognize.toxicity_guard import ToxicityGuard
from speech.transcript import Toxicity
from speech.translate.policy import whole_words
from speech.translate.toxicity import ToxicWords
from tests.tiny_hybrid import latin_whisper
from tests.tiny_whisper import tiny_label_tokenizer

TOKENIZER = tiny_label_tokenizer()


def tokens(text: str) -> tuple[int, ...]:
    return tuple(TOKENIZER.encode(text))


def hypothesis(text: str, score: float = -1.0) -> LabelHypothesis:
    return LabelHypothesis(tokens(text), score, True)


class Drafts:
    """A search among given texts, from likely to unlikely, two at a time."""

    def __init__(self, *texts: str) -> None:
        self.texts = [hypothesis(text, -1.0 - n) for n, text in enumerate(texts)]
        self.calls = 0

    def __call__(self, banned: BannedSequences) -> list[LabelHypothesis]:
        self.calls += 1
        return [one for one in self.texts if not self.has(banned, one.tokens)][:2]

    @staticmethod
    def has(banned: BannedSequences, text: tuple[int, ...]) -> bool:
        return any(token in banned.after(text[:n]) for n, token in enumerate(text))


def guarded(
    best: str, *others: str, written: str = "", words: tuple[str, ...] = ("pest",), said: str = "", **lists: list[str]
) -> tuple[str, Toxicity | None, int]:
    search = Drafts(*others)
    guard = ToxicityGuard(ToxicWords({"eng": words, **lists}), TOKENIZER)
    found, toxicity = guard.draft(hypothesis(best), ("deu", "eng"), search, lambda: [said], tokens(written))
    return TOKENIZER.decode(found.tokens), toxicity, search.calls


REMOVED = Toxicity(("pest",), removed=True)


def test_a_draft_without_listed_words_costs_nothing():
    assert guarded("A pesticide", "none") == ("A pesticide", None, 0)


def test_an_added_word_is_replaced_by_the_next_draft_without():
    assert guarded("A pest.", "A Pest!", "A guest.") == ("A guest.", REMOVED, 1)


def test_what_is_said_is_translated():
    assert guarded("A pest.", "A guest.", said="die Plage", deu=["Plage"]) == ("A pest.", None, 0)
    assert guarded("A pest.", "A guest.", said="der Gast", deu=["Plage"]) == ("A guest.", REMOVED, 1)


def test_a_phrase_that_begins_in_what_has_been_written_is_not_completed():
    found, toxicity, _ = guarded(" egg here.", " egg hot.", " apple.", written="A bad", words=("bad egg",))
    assert (found, toxicity) == (" apple.", Toxicity(("bad egg",), removed=True))


def test_what_has_been_written_counts_no_more_but_is_not_written_again():
    assert guarded(" ran away.", "none", written="A pest") == (" ran away.", None, 0)
    assert guarded(" and a pest.", " and a guest.", written="A pest") == (" and a guest.", REMOVED, 1)


def test_where_every_draft_has_listed_words_it_ends_before_the_first():
    others = [f"A {'big ' * n}p-e-s-t" for n in range(20)]
    words = ("p e s t", "big")
    found, toxicity, calls = guarded("A mad big dog", *others, words=words)
    assert (found, toxicity) == ("A mad", Toxicity(("big",), removed=True))
    assert calls == 3


@pytest.fixture(scope="module")
def whisper():
    return latin_whisper()


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000), data=st.data())
def test_in_appended_drafts_and_at_the_end_nothing_listed_is_written(whisper, seed, data):
    """Drafts of a growing part, of which a random number of words is written each time."""
    random = np.random.default_rng(seed)
    samples = (0.1 * random.standard_normal(48_000)).astype(np.float32)

    def run(guard: ToxicityGuard | None) -> str:
        counts = np.random.default_rng(seed)
        drafts, written = DraftDecoder(whisper, TOKENIZER, 2, guard), list[int]()
        for size in range(8_000, 48_001, 8_000):
            part = LabelPart.listen(whisper, samples[:size], size + 3_200)
            draft = drafts.draft(part, "deu", "eng", written, complete=size == 48_000)
            some = whole_words(draft, int(counts.integers(0, len(draft.tokens) + 1)))
            written += draft.tokens[: len(draft.tokens) if size == 48_000 else some]
        return TOKENIZER.decode(written)

    usual = run(None)
    entry = data.draw(st.sampled_from([word for word in usual.split() if word.strip(".,")]))
    lists = ToxicWords({"eng": [entry]})
    assert lists.matches(usual, "eng")
    assert not lists.matches(run(ToxicityGuard(lists, TOKENIZER)), "eng")
