"""Which utterances a label decoder learns, and the text of a row."""

from __future__ import annotations

from dataclasses import replace

from speech.text.tokenizers.bpe import LabelTokenizer
from speech.train.label.rows import Row, learnable, targets_of, teachable, text_of
from tests.train.label.rows import TOKENIZER, heard, settings, utterance

__all__ = ["heard"]  # a fixture


def test_a_teacher_is_not_asked_about_languages_that_were_added(heard, tmp_path):
    added = LabelTokenizer(TOKENIZER.data, added={"lad": 318})
    ladino = utterance(tmp_path, "l", "Uno", "lad")
    assert teachable([ladino, *heard], added) == heard
    assert learnable([ladino], added) == [ladino]


def test_a_text_has_spaces_where_its_script_has_them(heard):
    chinese = replace(heard[0], language="cmn", text="你好")
    assert text_of(Row((chinese, chinese))) == "你好你好"
    assert text_of(Row((chinese,), target="eng")) == " One"
    assert text_of(Row((heard[3],), words=2)) == " A b"


def test_what_the_decoder_cannot_learn_is_left_out(heard, tmp_path):
    gaelic = replace(heard[0], id="g", language="gla")
    switched = replace(heard[3], id="s", words=(*heard[3].words[:2], replace(heard[3].words[2], language="deu")))
    silent, long, short = (
        replace(heard[0], id="t", text=" "), replace(heard[0], id="l", duration_s=29.0),
        replace(heard[0], id="k", duration_s=0.1),
    )  # fmt: skip
    assert learnable([gaelic, *heard, switched, silent, long, short], TOKENIZER) == heard


def test_targets_are_those_configured_that_an_utterance_has(heard):
    spoken = replace(heard[0], translations={"spa": "Uno", "eng": "One", "deu": "Eins"})
    assert targets_of(spoken, settings()) == ["eng"]
    assert targets_of(spoken, settings(targets=["eng", "deu", "spa", "fra"])) == ["eng", "spa"]
    assert targets_of(spoken, settings(targets=["eng", "spa"], held_out=["deu-spa", "spa-eng"])) == ["eng"]
