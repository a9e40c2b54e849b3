"""Error rates against a plain dynamic programme, by hand, and against jiwer where it is installed."""

import math
from functools import reduce
from operator import add
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.errors import LanguageError
from speech.metrics.edit import alignment
from speech.metrics.edit.alignment import ErrorCounts, align
from speech.metrics.edit.error_rate import TextPair, text_errors, wer_unit
from speech.text.units import UnitKind, units

sequences = st.lists(st.sampled_from(["a", "b", "c", "aa"]), max_size=10)
counts = st.builds(ErrorCounts, *[st.integers(0, 9)] * 3, st.integers(20, 40))


def distance(reference: list[str], hypothesis: list[str]) -> int:
    row = list(range(len(hypothesis) + 1))
    for i, wanted in enumerate(reference, start=1):
        previous, row = row, [i]
        for j, found in enumerate(hypothesis, start=1):
            row.append(min(previous[j] + 1, row[j - 1] + 1, previous[j - 1] + (wanted != found)))
    return row[-1]


@given(sequences, sequences)
def test_errors_are_minimal_and_add_up_to_both_lengths(reference, hypothesis):
    found = align(reference, hypothesis).counts
    assert found.errors == distance(reference, hypothesis)
    assert found.reference_length == len(reference)
    assert len(hypothesis) == len(reference) - found.deletions + found.insertions


@given(sequences, sequences)
def test_swapping_the_sides_swaps_insertions_and_deletions_in_total(reference, hypothesis):
    one, other = align(reference, hypothesis).counts, align(hypothesis, reference).counts
    assert one.errors == other.errors
    assert one.insertions - one.deletions == other.deletions - other.insertions


@given(st.lists(counts, max_size=6))
def test_counts_add_field_by_field(parts):
    total = reduce(add, parts, ErrorCounts())
    assert total.errors == sum(part.errors for part in parts)
    assert total.reference_length == sum(part.reference_length for part in parts)


def test_a_corpus_rate_weighs_utterances_by_their_length():
    total = (
        text_errors("a b c d e f g h i", "a b c d e f g h i", ("eng",)).words + text_errors("a", "b", ("eng",)).words
    )
    assert total.rate == pytest.approx(0.1)


@given(st.lists(st.tuples(sequences.filter(bool), sequences), min_size=1, max_size=5))
def test_rates_of_a_corpus_are_those_of_jiwer(pairs):
    jiwer = pytest.importorskip("jiwer")
    references = [" ".join(reference) for reference, _ in pairs]
    hypotheses = [" ".join(hypothesis) for _, hypothesis in pairs]
    ours = reduce(add, (text_errors(r, h, ("eng",)).words for r, h in zip(references, hypotheses, strict=True)))
    assert ours.rate == pytest.approx(jiwer.wer(references, hypotheses))


def test_each_kind_of_error_is_told_apart():
    assert text_errors("the cat sat", "the dog sat", ("eng",)).words == ErrorCounts(1, 0, 0, 3)
    assert text_errors("the cat sat", "the sat", ("eng",)).words == ErrorCounts(0, 1, 0, 3)
    assert text_errors("the cat sat", "the big cat sat", ("eng",)).words == ErrorCounts(0, 0, 1, 3)


def test_case_and_punctuation_are_no_errors():
    assert text_errors("It’s late, Anna!", "it's late anna", ("eng",)).words.errors == 0


@pytest.mark.parametrize("language", ["cmn", "jpn"])
def test_a_language_without_spaces_counts_characters(language):
    assert text_errors("你好，世界", "你好 世间", (language,)).words == ErrorCounts(1, 0, 0, 4)


@pytest.mark.parametrize(
    ("languages", "kind"),
    [
        (("eng",), UnitKind.wer),
        (("deu", "kor"), UnitKind.wer),
        (("cmn",), UnitKind.cer),
        (("jpn", "yue"), UnitKind.cer),
        (("cmn", "eng"), UnitKind.mer),
        (("eng", "tha"), UnitKind.mer),
        ((), UnitKind.mer),
    ],
)
def test_what_wer_counts_follows_the_languages(languages, kind):
    assert wer_unit(languages) == kind


def test_an_unknown_language_is_refused():
    with pytest.raises(LanguageError):
        wer_unit(("klingon",))


def test_speech_that_switches_between_both_kinds_counts_each_in_its_way():
    words, characters = text_errors("我们去 coffee shop", "我们 coffee chop", ("cmn", "eng"))
    assert words == ErrorCounts(1, 1, 0, 5)
    assert characters == ErrorCounts(1, 1, 0, 13)


mixtures = st.text(st.sampled_from("ab 去家"), max_size=12)


@given(mixtures, mixtures, st.permutations([UnitKind.wer, UnitKind.cer, UnitKind.mer]))
def test_errors_of_each_kind_are_those_of_its_units_in_whatever_order_they_are_asked_for(one, other, kinds):
    texts = TextPair(one, other)
    for kind in kinds:
        assert texts.errors(kind) == align(units(texts.reference, kind), units(texts.hypothesis, kind)).counts


@pytest.mark.parametrize(
    ("text", "languages", "alignments"),
    [("the cat", ("eng",), 2), ("去家里", ("cmn",), 1), ("去家里 ok", ("cmn",), 2), ("去 ok", ("cmn", "eng"), 2)],
)
def test_units_that_are_the_same_are_aligned_once(monkeypatch, text, languages, alignments):
    made, real = [], alignment.Levenshtein.editops
    counted = SimpleNamespace(editops=lambda *sides: made.append(sides) or real(*sides))
    monkeypatch.setattr(alignment, "Levenshtein", counted)
    texts = TextPair(text, text, languages)
    for _ in range(2):
        figures = [texts.mixed.counts, texts.word_errors, texts.errors(UnitKind.mer), texts.errors(UnitKind.cer)]
        assert [one.errors for one in figures] == [0] * 4
    assert len(made) == alignments


def test_a_kind_that_depends_on_the_reference_has_no_errors_of_its_own():
    with pytest.raises(ValueError, match="expected wer, cer or mer"):
        TextPair("a", "b").errors(UnitKind.auto)


def test_characters_are_counted_without_spaces():
    assert text_errors("the cat", "thecart", ("eng",)).characters == ErrorCounts(0, 0, 1, 6)


def test_an_empty_reference_is_perfect_or_infinitely_wrong():
    assert [counts.rate for counts in text_errors("", "", ("eng",))] == [0.0, 0.0]
    assert text_errors("?!", " ", ("eng",)) == (ErrorCounts(), ErrorCounts())
    for wrong in text_errors("", "ab", ("eng",)):
        assert wrong.insertions > 0
        assert math.isinf(wrong.rate)


def test_an_empty_hypothesis_deletes_everything():
    assert text_errors("one two", "", ("eng",)).words == ErrorCounts(0, 2, 0, 2)
    assert text_errors("one two", "", ("eng",)).words.rate == 1.0


def test_insertions_can_push_a_rate_above_one():
    assert text_errors("one", "two three four", ("eng",)).words.rate == 3.0
