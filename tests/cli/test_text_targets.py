"""`speech transcribe --to fra --translator ...`, with a model of CTranslate2 and with a chat endpoint."""

import json
import shutil
from itertools import pairwise
from pathlib import Path

import pytest

from speech.errors import ConfigError, LanguageError, ModelError
from speech.recognize.text_translators import KEY, open_translator
from tests.chat_server import ChatServer, chatting
from tests.cli.calling import run
from tests.conftest import CLIPS
from tests.text_translators import tagged
from tests.tiny_translators import save_multilingual

ENGLISH, FRENCH = (CLIPS.parent / f"ast_{code}_priv-callpending.ogg" for code in ("en", "fr"))


@pytest.fixture(scope="module")
def nllb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_multilingual(tmp_path_factory.mktemp("nllb") / "model")


@pytest.fixture
def chat():
    with chatting() as found:
        yield found


def chatter(server: ChatServer) -> list[str]:
    return ["--translator", f"{server.url}=eng:fra,deu", "--translator-model", "tiny"]


def rows(result) -> list[dict]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_the_recognised_text_is_translated_by_a_model_in_a_directory(nllb):
    (said,) = rows(run("transcribe", ENGLISH, "--language", "eng", "--format", "jsonl"))
    (found,) = rows(
        run("transcribe", ENGLISH, "--language", "eng", "--format", "jsonl", "--to", "fra", "--translator", nllb)
    )
    assert (found["task"], found["language"], found["duration"]) == ("st_fra", "eng", said["duration"])
    assert found["text"].split() == open_translator(str(nllb)).translate([said["text"]], "eng", "fra")[0].split()
    assert {word["language"] for word in found["words"]} == {"fra"}
    begin, end = said["words"][0]["start"], said["words"][-1]["end"]
    assert all(begin <= word["start"] <= word["end"] <= end for word in found["words"])
    assert all(before["start"] <= after["start"] for before, after in pairwise(found["words"]))


def test_a_listed_word_is_left_out_of_what_a_model_in_a_directory_writes(nllb, tmp_path):
    options = ["--language", "eng", "--format", "jsonl", "--to", "fra", "--translator", nllb]
    (usual,) = rows(run("transcribe", ENGLISH, *options))
    entry = usual["words"][0]["text"].lower()
    (tmp_path / "fra.txt").write_text(entry, "utf-8")
    (tmp_path / "eng.txt").write_text("", "utf-8")
    (found,) = rows(run("transcribe", ENGLISH, *options, "--toxic-words", tmp_path))
    assert found["toxicity"] == {"found": [entry], "removed": True}
    assert entry not in found["text"].lower().split()
    assert found["text"] == " ".join(word["text"] for word in found["words"])


def test_files_are_translated_by_an_endpoint_and_one_that_it_refuses_fails_alone(chat, monkeypatch, tmp_path):
    monkeypatch.setenv(KEY, "sk-never-shown")
    usual = chat.answer
    done = run("transcribe", ENGLISH, "--task", "st", "--to", "fra", *chatter(chat))
    assert done.exit_code == 0
    assert all(word.startswith("FRENCH:") for word in done.stdout.split())
    assert chat.headers[0]["Authorization"] == "Bearer sk-never-shown"
    shutil.copy(ENGLISH, tmp_path / "a.ogg")
    shutil.copy(FRENCH, tmp_path / "b.ogg")
    mixed = run("transcribe", tmp_path, "--to", "deu", *chatter(chat))
    assert mixed.exit_code == 2
    assert "GERMAN:" in mixed.stdout
    assert "French (fra) is not translated" in " ".join(mixed.stderr.split())
    chat.answer = lambda asked: (400, b'{"error": "about sk-never-shown"}')
    failed = run("transcribe", ENGLISH, "--to", "fra", *chatter(chat))
    assert failed.exit_code == 2
    assert "answers 400: about ..." in " ".join(failed.stderr.split())
    assert "sk-never-shown" not in failed.output
    chat.answer = usual


def test_workers_open_the_translator_themselves(chat, tmp_path):
    done = run("transcribe", ENGLISH, "--to", "fra", *chatter(chat), "--engine", "local", "--output-dir", tmp_path)
    assert done.exit_code == 0, done.output
    assert "FRENCH:" in (tmp_path / f"{ENGLISH.stem}.txt").read_text("utf-8")


def test_subtitles_follow_the_speech(chat):
    done = run("transcribe", ENGLISH, "--to", "fra", *chatter(chat), "--format", "vtt", "--plain")
    assert done.stdout.startswith("WEBVTT\n\n00:00:0")
    assert "french" in done.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--translator", "MODEL"], "--translator without --to"),
        (["--translator-model", "tiny"], "--translator-model without --translator"),
        (["--translator", "MODEL", "--to", "fra", "--translator-model", "tiny"], "without an endpoint"),
        (["--translator", "MODEL=nld:fra", "--to", "fra"], "has no token for 'nld'"),
        (["--translator", "http://localhost/v1", "--to", "fra"], "does not name its languages"),
        (["--translator", "http://localhost/v1=eng:fra", "--to", "fra"], "needs the name of a model"),
    ],
)
def test_options_that_do_not_fit_are_refused(nllb, wave, options, said):
    with pytest.raises(ConfigError, match=said):
        run("transcribe", wave, *(option.replace("MODEL", str(nllb)) for option in options))


def test_languages_that_are_not_offered_are_named(nllb, wave):
    command = ["transcribe", wave, "--translator", nllb]
    with pytest.raises(
        LanguageError, match=r"does not translate from German \(deu\)\. It translates from eng, fra, spa"
    ):
        run(*command, "--language", "deu", "--to", "fra")
    with pytest.raises(LanguageError, match="translate into eng, fra, spa, not into deu"):
        run(*command, "--to", "deu")
    with pytest.raises(ModelError, match="no such model"):
        run("transcribe", wave, "--to", "fra", "--translator", wave.parent / "none")


def test_a_target_of_the_model_is_left_to_it(chat):
    own = run("transcribe", FRENCH, "--task", "st", "--to", "eng").stdout
    command = ["transcribe", FRENCH, "--to", "eng", "--translator", f"{chat.url}=fra:eng", "--translator-model", "tiny"]
    assert run(*command).stdout == own != tagged(own, "eng")
    assert chat.asked == []
