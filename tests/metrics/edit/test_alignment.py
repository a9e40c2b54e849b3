"""The alignment that everything is counted from."""

from collections import Counter
from functools import reduce
from operator import add

from hypothesis import given
from hypothesis import strategies as st

from speech.metrics.edit.alignment import ErrorCounts, align, count_errors, count_other_units

sequences = st.lists(st.sampled_from(["a", "b", "c"]), max_size=9)


@given(sequences, sequences)
def test_pairs_walk_through_both_sides_and_differ_where_edits_are(reference, hypothesis):
    alignment = align(reference, hypothesis)
    pairs = list(alignment.pairs())
    assert [p.reference for p in pairs if p.reference is not None] == list(range(len(reference)))
    assert [p.hypothesis for p in pairs if p.hypothesis is not None] == list(range(len(hypothesis)))
    kinds = Counter(
        "insert"
        if p.reference is None
        else "delete"
        if p.hypothesis is None
        else "equal"
        if reference[p.reference] == hypothesis[p.hypothesis]
        else "replace"
        for p in pairs
    )
    counts = alignment.counts
    assert (kinds["insert"], kinds["delete"], kinds["replace"]) == (
        counts.insertions,
        counts.deletions,
        counts.substitutions,
    )


@given(sequences.filter(bool), sequences, st.data())
def test_errors_at_some_places_and_at_all_others_are_all_errors(reference, hypothesis, data):
    alignment = align(reference, hypothesis)
    places = range(len(reference))
    some = data.draw(st.sets(st.sampled_from(places)))
    parts = [alignment.within(sorted(some)), alignment.within([p for p in places if p not in some])]
    assert reduce(add, parts) == alignment.counts


def test_an_insertion_belongs_to_the_word_that_it_stands_before():
    alignment = align("a b".split(), "x a y b z".split())
    assert alignment.within([0]) == ErrorCounts(0, 0, 1, 1)
    assert alignment.within([1]) == ErrorCounts(0, 0, 2, 1)  # the last one stands behind all


@given(st.text("ab ", max_size=9), st.text("ab ", max_size=9))
def test_errors_in_other_units_are_those_of_an_alignment_of_their_own(reference, hypothesis):
    words = align(reference.split(), hypothesis.split())
    letters = [text.replace(" ", "") for text in (reference, hypothesis)]
    assert count_other_units(words, *letters) == count_errors(*letters)
