"""Token sequences that a text may not contain, against a search of every text."""

from hypothesis import given
from hypothesis import strategies as st

from speech.decode.label.banned import BannedSequences

TOKENS = st.integers(0, 3)
SEQUENCES = st.lists(st.lists(TOKENS, max_size=4), max_size=6)


def contains(text, sequence):
    return any(text[at : at + len(sequence)] == sequence for at in range(len(text) - len(sequence) + 1))


@given(sequences=SEQUENCES, text=st.lists(TOKENS, max_size=12))
def test_a_text_of_allowed_tokens_contains_no_sequence_and_each_banned_token_completes_one(sequences, text):
    banned, written = BannedSequences(sequences), []
    for token in text:
        longer = [*written, token]
        completes = any(sequence and longer[-len(sequence) :] == sequence for sequence in sequences)
        assert (token in banned.after(tuple(written))) == completes
        if not completes:
            written = longer
    assert not any(contains(written, sequence) for sequence in sequences if sequence)


def test_empty_sequences_ban_nothing():
    assert not BannedSequences([])
    assert not BannedSequences([[], ()])
    assert not BannedSequences([[]]).after((1, 2))
    assert BannedSequences([[1]])


@given(sequences=SEQUENCES, before=st.lists(TOKENS, max_size=6), text=st.lists(TOKENS, max_size=6))
def test_a_sequence_may_begin_in_what_stands_before_the_text(sequences, before, text):
    behind, whole = BannedSequences(sequences, before), BannedSequences(sequences)
    assert set(behind.after(tuple(text))) == set(whole.after((*before, *text)))
