import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.translate.align_att import AlignAtt
from speech.translate.hold_n import HoldN
from speech.translate.local_agreement import LocalAgreement
from speech.translate.policy import TranslationDraft, whole_words
from speech.translate.wait_k import WaitK

POLICIES = [WaitK(k=2), HoldN(n=2), LocalAgreement(), AlignAtt(margin_s=0.5)]


@st.composite
def drafts(draw, most=12):
    tokens = draw(st.lists(st.integers(0, 5), max_size=most))
    pieces = draw(st.lists(st.sampled_from([b" on", b"on"]), min_size=len(tokens), max_size=len(tokens)))
    heard_s = draw(st.floats(0, 20))
    places = draw(st.lists(st.floats(0, 20), min_size=len(tokens), max_size=len(tokens)))
    return TranslationDraft(heard_s, tuple(tokens), tuple(pieces), draw(st.booleans()), tuple(places))


def words(*names: bool) -> TranslationDraft:
    return TranslationDraft(4.0, tuple(range(len(names))), tuple(b" on" if name else b"on" for name in names))


@pytest.mark.parametrize(
    ("begins", "count", "kept"),
    [
        ((True, True, True), 2, 2),
        ((True, False, True), 1, 0),  # token 1 goes on with the word
        ((True, False, True), 2, 2),
        ((True, True, True), 3, 2),  # the last word may change
        ((True, False, False), 3, 0),
        ((), 4, 0),
    ],
)
def test_only_whole_words_are_written(begins, count, kept):
    assert whole_words(words(*begins), count) == kept


@given(draft=drafts(), count=st.integers(0, 20))
def test_whole_words_end_where_another_begins(draft, count):
    kept = whole_words(draft, count)
    assert 0 <= kept <= min(count, len(draft.tokens))
    assert kept == 0 or draft.begins_word(kept)


@pytest.mark.parametrize("policy", POLICIES, ids=lambda one: type(one).__name__)
@given(history=st.lists(drafts(), min_size=1, max_size=3))
def test_a_policy_writes_whole_words_of_the_newest_draft(policy, history):
    count = policy.decide(history)
    assert count == whole_words(history[-1], count)
    assert policy.decide(history) == count  # nothing is remembered
