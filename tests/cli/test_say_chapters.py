"""`speech say --chapters`: files, what is kept and what is said again, Ctrl-C, and what is refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from rich.progress import Progress

from speech.audio import playback
from speech.audio.output import int16_samples
from speech.cli import say_text
from speech.errors import ConfigError, LanguageError, TextError
from speech.speaker import Speaker
from speech.tts.speech_stream import SpeakingOptions
from tests.audio.players import player
from tests.cli.calling import run
from tests.tts.counting import CountingSynthesizer, LetterPronouncer

BOOK = "# My Book\n\nHello there.\n\n## One\nIt was. It cost $5.\n\n## Two\nIt is.\n\n## Three: the end\n\nBye.\n"
STEMS = ["01 My Book", "02 One", "03 Two", "04 Three the end"]


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the synthesizer says, in order."""
    synthesizer = CountingSynthesizer()
    speaker = Speaker(synthesizer, LetterPronouncer())
    monkeypatch.setattr(say_text.Speaker, "from_pretrained", lambda *_, **__: speaker)

    class Texts(list):
        def take(self) -> str:
            found = "".join(symbols for symbols, *_ in synthesizer.said)
            synthesizer.said.clear()
            return found

    return Texts()


@pytest.fixture
def book(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").write_bytes(b"weights")
    path = tmp_path / "book.md"
    path.write_text(BOOK)
    return path


def say(book: Path, *options, suffix: str = "wav"):
    where = ("--model", book.parent / "model", "--output", book.parent / f"out.{suffix}")
    return run("say", book, "--chapters", *where, *options).stderr


def files(book: Path) -> list[str]:
    return sorted(path.name for path in (book.parent / "out").iterdir())


def test_a_book_becomes_a_folder_of_chapters(said, book):
    told = say(book)
    assert files(book) == sorted(
        [f"{s}.{end}" for s in STEMS for end in ("wav", "json")] + ["chapters.json", "out.m3u8"]
    )
    playlist = (book.parent / "out" / "out.m3u8").read_text().splitlines()
    assert playlist[2::2] == [f"{stem}.wav" for stem in STEMS]
    assert [line.partition(",")[2] for line in playlist[1::2]] == ["My Book", "One", "Two", "Three: the end"]
    assert "out: 4 chapters" in told
    times = json.loads((book.parent / "out" / "02 One.json").read_text())
    assert times["text"] == "One\n\nIt was. It cost $5."
    assert [times["text"][slice(*word["source"])] for word in times["words"]] == "One It was It cost $5 $5".split()


def test_a_chapter_has_the_samples_of_its_text_alone(said, book):
    say(book)
    speaker = Speaker(CountingSynthesizer(), LetterPronouncer())
    for stem in STEMS:
        text = json.loads((book.parent / "out" / f"{stem}.json").read_text())["text"]
        samples, _ = soundfile.read(book.parent / "out" / f"{stem}.wav", dtype="int16")
        alone = speaker.say(text, SpeakingOptions(language="eng"))
        np.testing.assert_array_equal(samples, int16_samples(alone.samples))


def test_what_is_whole_is_kept(said, book):
    say(book)
    assert said.take()
    told = say(book)
    assert said.take() == ""
    assert "4 of 4 chapters are whole already" in told
    (book.parent / "out" / "03 Two.wav").unlink()
    assert "3 of 4 chapters" in say(book)
    assert said.take() == "twoit is."


def test_a_changed_chapter_is_said_again_alone(said, book):
    say(book)
    said.take()
    book.write_text(BOOK.replace("It is.", "It is so."))
    told = say(book)
    assert said.take() == "twoit is so."
    assert "03 Two: the text has changed, so it is said again" in told


def test_other_options_and_another_model_say_everything_again(said, book):
    say(book)
    everything = said.take()
    for change in ("--rate=2", "--voice=low", "--seed=3"):
        told = say(book, change)
        assert said.take() == everything
        assert told.count("the options have changed, so it is said again") == 4
    (book.parent / "model" / "model.safetensors").write_bytes(b"other weights")
    say(book, "--seed=3")
    assert said.take() == everything
    (book.parent / "mark").mkdir()
    (book.parent / "mark" / "model.safetensors").write_bytes(b"mark")
    say(book, "--seed=3", "--watermark", book.parent / "mark")
    assert said.take() == everything
    say(book, "--seed=3", "--watermark", book.parent / "mark", "--no-watermark")
    assert said.take() == everything
    say(book, "--seed=3", suffix="flac")
    assert said.take() == everything
    assert not [name for name in files(book) if name.endswith(".wav")]


def test_a_new_chapter_moves_the_others_and_one_that_is_gone_goes(said, book):
    say(book)
    said.take()
    book.write_text(BOOK.replace("## One", "## Zero\nIt came.\n\n## One").partition("## Three")[0])
    told = say(book)
    assert said.take() == "zeroit came."
    assert "04 Three the end: no longer in the text, removed" in told
    assert [name for name in files(book) if name.endswith(".wav")] == [
        "01 My Book.wav", "02 Zero.wav", "03 One.wav", "04 Two.wav",
    ]  # fmt: skip


def test_a_chapter_that_cannot_be_said_is_named_and_those_before_stay(said, book):
    book.write_text(BOOK.replace("It is.", "It is два."))
    with pytest.raises(LanguageError, match=r"^chapter 03 Two, line 3, column 7: "):
        say(book)
    assert [name for name in files(book) if name.endswith(".wav")] == ["01 My Book.wav", "02 One.wav"]
    said.take()
    book.write_text(BOOK)
    say(book)
    assert said.take() == "twoit is.three the endbye."


INTERRUPTED = """
import sys, time
from speech.cli import say_text
from speech.cli.app import main
from speech.speaker import Speaker
from tests.tts.counting import CountingSynthesizer, LetterPronouncer

class Hanging(CountingSynthesizer):
    def say(self, symbols, *more, **options):
        for piece in super().say(symbols, *more, **options):
            yield piece
            if symbols.startswith("it is"):
                print("hangs", flush=True)
                time.sleep(100)

say_text.Speaker.from_pretrained = lambda *_, **__: Speaker(Hanging(), LetterPronouncer())
main()
"""


def test_ctrl_c_leaves_whole_chapters_and_the_next_run_goes_on(said, book):
    folder = book.parent
    arguments = ["say", str(book), "--chapters", "--model", str(folder / "model"), "--output", str(folder / "out.wav")]
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert process.stdout.readline() == "hangs\n"
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in told) == (130, False)
    assert files(book) == ["01 My Book.json", "01 My Book.wav", "02 One.json", "02 One.wav", "chapters.json"]
    assert "2 of 4 chapters are whole already" in say(book)
    assert said.take() == "twoit is.three the endbye."


def test_what_cannot_be_is_said(said, book):
    with pytest.raises(ConfigError, match="--words with --chapters"):
        say(book, "--words", "x.json")
    for text, expected in (("<speak>a</speak>", "has no chapters"), ("\n \n", "there is no text")):
        book.write_text(text)
        with pytest.raises(TextError, match=expected):
            say(book)


def test_progress_counts_chapters_and_sentences(said, book, monkeypatch):
    shown = []
    monkeypatch.setattr(Progress, "update", lambda self, task, **fields: shown.append(fields))
    say(book)
    completed = [fields["completed"] for fields in shown]
    assert completed == sorted(completed)
    assert completed[-1] == 9  # the headings are sentences, too
    assert any(fields.get("description") == "chapter 2/4 One" for fields in shown)
    assert all(fields["speed"].startswith("real-time factor ") for fields in shown if "speed" in fields)


def test_chapters_are_played_one_behind_the_other(said, book, monkeypatch):
    monkeypatch.setattr(playback, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", f"{book.parent / 'bin'}:/usr/bin:/bin")
    heard = player(book.parent / "bin", "ffplay")
    say(book, "--play", suffix="pcm")
    whole = b"".join((book.parent / "out" / f"{stem}.pcm").read_bytes() for stem in STEMS)
    assert heard.read_bytes() == whole
