"""Alignments with the fewest runs: as few edits as any, and what was left out or put in as a piece stays one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.metrics.edit import runs
from speech.metrics.edit.alignment import EditAlignment, align
from speech.metrics.edit.runs import EditRun, align_in_runs, runs_of

TEXTS = st.lists(st.sampled_from("abc"), max_size=12)


def edited(alignment: EditAlignment) -> list[str]:
    """The hypothesis that the edits make of the reference."""
    said, source = [], 0
    for edit in alignment.edits:
        said += alignment.reference[source : edit.source]
        source = edit.source + (edit.operation != "insert")
        said += [] if edit.operation == "delete" else [alignment.hypothesis[edit.target]]
    return [*said, *alignment.reference[source:]]


@given(TEXTS, TEXTS)
def test_there_are_as_few_edits_as_can_be_and_no_more_runs_than_elsewhere(reference, hypothesis):
    found, other = align_in_runs(reference, hypothesis), align(reference, hypothesis)
    assert edited(found) == hypothesis
    assert found.counts.errors == other.counts.errors
    assert len(runs_of(found)) <= len(runs_of(other))
    assert sum(len(run.units) for run in runs_of(found)) == found.counts.deletions + found.counts.insertions


@given(TEXTS, st.lists(st.sampled_from("abc"), min_size=1, max_size=8), TEXTS)
def test_what_was_left_out_or_put_in_as_a_piece_is_one_run(before, piece, after):
    whole, rest = [*before, *piece, *after], [*before, *after]
    for operation, sides in (("delete", (whole, rest)), ("insert", (rest, whole))):
        (run,) = runs_of(align_in_runs(*sides))
        assert (run.operation, len(run.units)) == (operation, len(piece))
        assert list(run.units) == whole[run.start : run.start + len(piece)]
        assert whole[: run.start] + whole[run.start + len(piece) :] == rest


def test_a_sentence_that_shares_a_word_with_its_neighbour_is_one_run():
    wanted, heard = "it was late we went by the river home by the sea".split(), "it was late we went by the sea".split()
    (run,) = runs_of(align_in_runs(wanted, heard))
    assert run == EditRun("delete", run.start, tuple(wanted[run.start : run.start + 4]))
    assert run.start in (5, 6, 7)  # which "by" and "the" were said is open


def test_a_replacement_ends_a_run():
    alignment = align("a b c d".split(), "x".split())
    assert sum(len(run.units) for run in runs_of(alignment)) == 3
    assert [run.operation for run in runs_of(align_in_runs(list("ab"), list("xy")))] == []


def test_texts_that_are_too_long_are_aligned_as_usual(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(runs, "_MOST_CELLS", 3)
    monkeypatch.setattr(runs, "load", lambda name: pytest.fail("was aligned in runs"))
    assert align_in_runs(list("abc"), list("ac")) == align(list("abc"), list("ac"))
