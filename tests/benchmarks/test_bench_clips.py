from dataclasses import replace
from pathlib import Path

import pytest
from clips import cased_errors, every_nth, paragraphs, worst, written

from speech.data.manifest import Utterance
from speech.metrics.edit.alignment import ErrorCounts


def clip(name: str, language: str) -> Utterance:
    return Utterance(id=name, audio=Path(name), duration_s=1.0, language=language, text="")


def test_every_language_keeps_its_first_clip_and_every_nth_behind_it_by_id():
    clips = [clip(name, "eng") for name in "ecadb"] + [clip("z", "fra")]
    assert [c.id for c in every_nth(clips, 2)] == ["a", "c", "e", "z"]


def test_languages_that_are_not_asked_for_are_left_out():
    assert [c.id for c in every_nth([clip("a", "eng"), clip("b", "fra")], 1, ("fra",))] == ["b"]


def test_paragraphs_are_of_one_speaker_and_no_longer_than_asked_for():
    clips = [clip(name, "eng") for name in "badc"] + [clip("f", "fra"), replace(clip("e", "eng"), speaker="other")]
    found = paragraphs(clips, 3.5, gap_s=0.2)  # three clips and two gaps are 3.4 s
    assert [[c.id for c in own] for own in found] == [["a", "b", "c"], ["d"], ["e"], ["f"]]
    assert [[c.id for c in own] for own in paragraphs(clips[:2], 0.5)] == [["a"], ["b"]]


@pytest.mark.parametrize(
    ("reference", "hypothesis", "errors"),
    [
        ("One, two.", "One, two.", 0),
        ("One, two.", "one, two", 2),
        ("One  two", "One two", 0),
        ("café", "cafe\u0301", 0),
        ("One two", "One, two three", 2),
    ],
)
def test_a_word_with_other_case_or_punctuation_is_an_error(reference, hypothesis, errors):
    assert cased_errors(reference, hypothesis, ("fra",)).errors == errors


def test_in_chinese_characters_and_punctuation_count_and_spaces_do_not():
    counts = cased_errors("你好, 世界。", "你好,世界", ("cmn",))
    assert (counts.errors, counts.reference_length) == (1, 6)


def test_words_of_any_script_are_counted_without_signs():
    assert written("Hello, world! ... 你好 ♪") == ["hello", "world", "你", "好"]


def test_languages_that_we_hear_worse_come_by_ratio_and_only_with_enough_units():
    def counts(errors: int, units: int) -> ErrorCounts:
        return ErrorCounts(substitutions=errors, reference_length=units)

    ours = {"eng": counts(30, 200), "deu": counts(90, 200), "fra": counts(10, 200), "jpn": counts(90, 100)}
    theirs = {code: counts(20, 200) for code in ours}
    assert worst(ours, theirs) == [("deu", 0.45, 0.1), ("eng", 0.15, 0.1)]
