"""Which beginning of a reference fits best, and where it is equal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.metrics.edit.alignment import align, count_errors
from speech.metrics.edit.prefix import closest_prefix, equal_runs

UNITS = st.lists(st.sampled_from("abc"), max_size=12)


@pytest.mark.parametrize(
    ("reference", "heard", "length"),
    [
        ("a b c d", "a b", 2),
        ("a b c d", "a x", 2),  # one error for `a` and for `a b`: the longer
        ("a b c d", "x y z", 3),
        ("a b a b", "a b", 2),
        ("a b c d", "b c", 3),
        ("a b", "a b c", 2),
        ("a b", "", 0),
        ("", "a", 0),
    ],
)
def test_the_beginning_that_fits_best_is_taken(reference, heard, length):
    assert closest_prefix(reference.split(), heard.split()) == length


@given(reference=UNITS, heard=UNITS)
def test_no_other_beginning_is_closer_and_no_longer_one_is_as_close(reference, heard):
    tried = [count_errors(reference[:n], heard).errors for n in range(len(reference) + 1)]
    found = closest_prefix(reference, heard)
    assert tried[found] == min(tried)
    assert all(errors > tried[found] for errors in tried[found + 1 :])


@given(reference=UNITS, heard=UNITS)
def test_runs_are_all_that_is_equal(reference, heard):
    alignment = align(reference, heard)
    runs = equal_runs(alignment)
    for source, target, length in runs:
        assert reference[source : source + length] == heard[target : target + length]
    assert sum(length for *_, length in runs) == sum(
        None not in pair and reference[pair.reference] == heard[pair.hypothesis] for pair in alignment.pairs()
    )
