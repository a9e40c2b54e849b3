"""`speech transcribe` with a label decoder: plain texts, several likely ones, translations."""

import json

import pytest
from typer.testing import CliRunner

from speech.cli.app import app
from speech.decode.label.search import LabelHypothesis, LabelSearch
from speech.errors import ConfigError, LanguageError
from tests.ctc_half import ctc_half
from tests.tiny_whisper import tiny_label_tokenizer
from tests.writing_hybrid import save_writing_hybrid, writing

SAID = {"caller waiting": -2.0, "collar waiting": -1.0, "Caller waiting": -3.0, "caller": -2.5}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_writing_hybrid(tmp_path_factory.mktemp("hybrid") / "m", translates=True)


def run(*arguments: object) -> str:
    done = CliRunner().invoke(app, ["transcribe", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    return done.stdout


def test_plain_texts_have_no_signs(model, wave):
    with writing():
        written = run(wave, "--model", model).strip()
        plain = run(wave, "--model", model, "--plain").strip()
    assert written == f"{plain.capitalize()}."
    assert plain == plain.lower()
    assert plain.replace(" ", "").isalpha()


@pytest.mark.parametrize("more", [[], ["--plain"]])
def test_several_likely_texts_are_listed_in_json(model, wave, more, monkeypatch):
    encode = tiny_label_tokenizer().encode
    found = [LabelHypothesis(tuple(encode(f" I have a {word}.")), score, True) for word, score in SAID.items()]
    monkeypatch.setattr(LabelSearch, "__call__", lambda *_: found)
    record = json.loads(run(wave, "--model", model, "--language", "eng", "--format", "json", "--nbest", 3, *more))[0]
    texts = [one["text"] for one in record["alternatives"]]
    assert texts[0] == record["text"]
    assert 1 < len(texts) <= 3
    assert len(set(texts)) == len(texts)
    chances = [one["confidence"] for one in record["alternatives"]]
    assert chances == sorted(chances, reverse=True)
    assert 0.5 < sum(chances) <= 1.001
    usual = json.loads(run(wave, "--model", model, "--language", "eng", "--format", "json", *more))[0]
    assert "alternatives" not in usual
    assert usual["text"] == record["text"]


def test_ctc_alone_lists_what_its_beam_holds(wave):
    record = json.loads(run(wave, "--model", ctc_half(), "--format", "jsonl", "--nbest", 5))
    assert record["alternatives"][0]["text"] == record["text"]
    assert len(record["alternatives"]) > 1
    greedy = json.loads(run(wave, "--model", ctc_half(), "--format", "jsonl", "--nbest", 5, "--beam", 1))
    assert [one["text"] for one in greedy["alternatives"]] == [greedy["text"]]


def test_what_cannot_be_listed_is_refused(model, wave):
    with pytest.raises(ConfigError, match="--nbest is for JSON, not txt"):
        run(wave, "--model", model, "--nbest", 2)


def test_it_translates_into_what_has_been_measured(model, wave, tmp_path):
    with writing():
        assert run(wave, "--model", model, "--task", "st", "--to", "eng").strip() == "In English."
        assert run(wave, "--model", model, "--task", "st", "--to", "eng", "--plain").strip() == "in english"
        with pytest.raises(LanguageError, match="It translates into eng"):
            run(wave, "--model", model, "--task", "st", "--to", "fra")
        other = save_writing_hybrid(tmp_path / "m")
        with pytest.raises(LanguageError, match="translates into no language"):
            run(wave, "--model", other, "--task", "st", "--to", "eng")
