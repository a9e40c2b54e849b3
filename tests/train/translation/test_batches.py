"""What a policy learns from, and the joined rows that it is tried on."""

from __future__ import annotations

from dataclasses import replace

from speech.data.reading import Tally
from speech.train.translation.batches import TranslationDev, joined_rows, translatable
from speech.train.translation.config import TranslationConfig
from tests.train.label.rows import MOST_TOKENS, TOKENIZER, settings
from tests.train.translation.corpus import ROWS, clips


def test_only_what_has_an_english_translation_is_learned(tmp_path):
    found = clips(tmp_path, 3)
    untranslated = replace(found[0], id="u", translations={"fra": "mot"})
    assert translatable([*found, untranslated], TOKENIZER, settings()) == found[:3]


def test_rows_join_one_source_in_order_up_to_the_longest(tmp_path):
    spoken = clips(tmp_path, 5)[:5]
    spoken[3] = replace(spoken[3], source="other")
    rows = joined_rows(spoken, settings(joined_s=[0.1, 3.0]))  # two gaps of 0.7 s and three clips of 0.5 s are 2.9 s
    assert [[u.id for u in row.utterances] for row in rows] == [["d0", "d1", "d2"], ["d4"], ["d3"]]
    assert all(row.target == "eng" for row in rows)
    assert [[u.id for u in row.utterances] for row in joined_rows(spoken[:2], settings(joined_s=[0.1, 0.1]))] == [
        ["d0"],
        ["d1"],
    ]


def test_rows_are_translated_into_the_possible_languages_in_turn(tmp_path):
    spoken = [replace(u, translations={"eng": "One", "spa": "Uno"}) for u in clips(tmp_path, 4)[:4]]
    rows = joined_rows(spoken, settings(targets=["eng", "spa"], joined_s=[0.1, 3.0]))
    assert [([u.id for u in row.utterances], row.target) for row in rows] == [
        (["d0", "d2"], "eng"), (["d1", "d3"], "spa")
    ]  # fmt: skip


def test_dev_is_the_same_each_time_and_as_large_as_asked_for(tmp_path):
    spoken = clips(tmp_path, 7)
    config = TranslationConfig(label=settings(**ROWS), dev_rows=2)
    dev = TranslationDev(spoken, TOKENIZER, config, MOST_TOKENS, Tally("dev", 7, 0.0))
    first, second = list(dev), list(dev)
    assert len(first) == len(dev) == 1
    assert sorted(first[0].ids) == sorted(["d0+d1+d2", "d6"])
    assert (first[0].samples == second[0].samples).all()
    assert (first[0].tokens[:, 2] == TOKENIZER.translate).all()
