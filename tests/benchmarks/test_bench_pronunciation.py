"""The benchmark of pronunciations: errors are counted right, unseen words are unseen, and a run writes its figures."""

from __future__ import annotations

import json

import pytest
from pronunciation import alike, errors, main, parts

from speech.train.pronunciation.batches import PronouncedWords, read_pronunciations
from speech.tts.pronunciation.letters import LetterPronouncer
from speech.tts.pronunciation.lexicon import LEXICON, write_lexicon
from tests.pronounced import save_tiny_letter_phonemes, tiny_letter_phonemes, write_corpus
from tests.tts.kokoro_voices import letters_program


def test_errors_are_those_of_phonemes_and_of_words():
    texts = [PronouncedWords("1", "eng", ("a", "cab"), ("a", "kab")), PronouncedWords("2", "eng", ("be",), ("biː",))]
    found = errors(texts, [["a", "kb"], ["biii"]])
    assert found.phonemes == pytest.approx(3 / 7)
    assert (found.words, found.count) == (pytest.approx(2 / 3), 3)


def test_unseen_words_are_single_and_not_in_train(tmp_path):
    for part, words in (("train", [["Bad"], ["cab", "bed"]]), ("dev", [["bad"], ["dab"], ["bed"], ["a", "b"]])):
        lines = [json.dumps({"lang": "eng", "words": own, "symbols": own}) + "\n" for own in words]
        (tmp_path / f"{part}.jsonl").write_text("".join(lines))
    found = parts(tmp_path)
    assert [own.words for own in found["unseen words"]] == [("dab",)]
    assert [own.words for own in found["sentences"]] == [("a", "b")]


def test_words_that_both_say_alike_are_counted(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{letters_program(tmp_path / 'bin')}:/usr/bin:/bin")
    monkeypatch.setattr("speech_output.SENTENCES", tmp_path)
    (tmp_path / "eng.txt").write_text("A bad cab.\n\nDead!\n")
    ours = LetterPronouncer(tiny_letter_phonemes())
    monkeypatch.setattr(ours, "words", lambda words, code: [word.lower() if word != "bad" else "b" for word in words])
    assert alike(ours, "eng") == (3, 4)


def test_a_run_writes_its_figures(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", "")
    model, corpus = save_tiny_letter_phonemes(tmp_path / "m"), write_corpus(tmp_path / "c")
    main(model, [corpus], tmp_path / "found.json")
    rows = json.loads((tmp_path / "found.json").read_text())["results"]
    assert {row["part"] for row in rows} <= {"sentences", "unseen words"}
    for row in rows:
        assert row["system"] == "model"
        assert row["words"] > 0.5
        assert row["ms"] > 0
    assert "wrong" in capsys.readouterr().out


def test_english_is_measured_without_its_lexicon_too(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    model, corpus = save_tiny_letter_phonemes(tmp_path / "m"), write_corpus(tmp_path / "c")
    dev = read_pronunciations(corpus / "dev.jsonl")
    known = {word: said for own in dev for word, said in zip(own.words, own.phonemes, strict=True) if len(word) > 1}
    write_lexicon(model / LEXICON, known)
    main(model, [corpus], tmp_path / "found.json")
    rows = json.loads((tmp_path / "found.json").read_text())["results"]
    wrong = {(row["part"], row["system"]): row["words"] for row in rows}
    assert wrong["sentences", "model"] < wrong["sentences", "network alone"]
