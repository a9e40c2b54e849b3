"""What `speech say` writes: nothing where it fails half-way; and that a long text is said while it is read."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest

from speech.audio import playback
from speech.audio.output import int16_samples
from speech.choices import AudioEncoding
from speech.cli import say_text
from speech.cli.say import SayRequest, in_pieces
from speech.errors import AudioError, ConfigError, LanguageError, TextError
from speech.speaker import Speaker
from speech.tts.speech_stream import SpeakingOptions
from tests.audio.players import player
from tests.tts.counting import CountingSynthesizer, LetterPronouncer


@pytest.fixture
def speaker(monkeypatch: pytest.MonkeyPatch) -> Speaker:
    made = Speaker(CountingSynthesizer(), LetterPronouncer())
    monkeypatch.setattr(say_text, "reads_letters", lambda _: False)
    monkeypatch.setattr(say_text.Speaker, "from_pretrained", lambda *_, **__: made)
    return made


def request(output: Path | None, **more) -> SayRequest:
    given = {"model": "x", "device": "cpu", "manner": {"language": "eng"}, "encoding": AudioEncoding.wav}
    return SayRequest(output=output, **given | more)


def test_a_text_that_fails_half_way_leaves_no_file(speaker, tmp_path):
    old = tmp_path / "x.wav"
    old.write_text("old")

    def say(*pieces: str) -> None:
        say_text.say_text(iter(pieces), request(old, words=tmp_path / "x.json"))

    with pytest.raises(LanguageError, match="line 1, column 13"):
        say("One. Two. ", "A два.")
    assert [path.name for path in tmp_path.iterdir()] == ["x.wav"]
    assert old.read_text() == "old"
    say("One. Two. ", "A.")
    assert old.read_bytes()[:4] == b"RIFF"


def test_a_long_text_is_read_no_further_than_it_is_said(speaker):
    """So that neither samples nor sentences of a book are in memory at once."""
    book = "They went on, and on. " * 700
    taken, written = [], []

    def pieces():
        for piece in in_pieces(book):
            taken.append(len(piece))
            yield piece

    def write(samples):
        written.append((sum(taken), len(samples)))

    said = say_text.spoken(speaker.stream(pieces(), SpeakingOptions(language="eng")), [write], lambda _: None)
    assert len(taken) > 3
    assert written[0][0] == taken[0] < len(book) / 3
    letters = len(re.sub(r"\W", "", book)) / sum(samples for _, samples in written)
    for done, (read, _) in enumerate(written):
        said_so_far = letters * sum(samples for _, samples in written[:done])
        assert read < 1.5 * said_so_far + 3 * max(taken)
    assert len(said.words) == 3500


def test_what_has_been_said_is_reported_and_a_text_without_words_is_refused(speaker):
    reports = []
    options = SpeakingOptions(language="eng")
    said = say_text.spoken(
        speaker.stream(["One. Two."], options), [], lambda now: reports.append((now.samples, len(now.words)))
    )
    assert reports[-1] == (said.samples, 2)
    assert sorted(reports) == reports
    with pytest.raises(TextError, match="nothing in the text can be spoken"):
        say_text.spoken(speaker.stream(["..."], options), [], lambda _: None)


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """What a program that plays has got."""
    monkeypatch.setattr(playback, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    return player(tmp_path / "bin", "ffplay")


@pytest.mark.parametrize("written", [True, False])
def test_what_is_played_is_what_is_written(speaker, heard, tmp_path, capsys, written):
    output = tmp_path / "x.pcm"
    options = {"play": True, "encoding": AudioEncoding.pcm}
    say_text.say_text(iter(["One. Two."]), request(output if written else None, **options))
    samples = int16_samples(speaker.say("One. Two.", SpeakingOptions(language="eng")).samples).tobytes()
    assert heard.read_bytes() == samples
    assert not written or output.read_bytes() == samples
    assert ("x.pcm: " if written else "played: ") in capsys.readouterr().err


def test_an_interrupted_text_is_played_no_further_and_leaves_no_file(speaker, heard, tmp_path):
    player(tmp_path / "bin", "ffplay", "echo $$ > {folder}/pid; exec sleep 100")

    def pieces():
        yield "One. Two. Three"
        while not (tmp_path / "bin" / "pid").read_text().endswith("\n"):
            time.sleep(0.01)
        raise KeyboardInterrupt

    (tmp_path / "bin" / "pid").write_text("")
    with pytest.raises(KeyboardInterrupt):
        say_text.say_text(pieces(), request(tmp_path / "x.wav", play=True))
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "bin" / "pid").read_text()), 0)
    assert [path.name for path in tmp_path.iterdir()] == ["bin"]


def test_a_program_that_cannot_play_is_named_and_no_file_is_written(speaker, heard, tmp_path):
    player(tmp_path / "bin", "ffplay", "echo no device >&2; exit 2")
    with pytest.raises(AudioError, match=r"ffplay: ended with exit code 2 .*: no device"):
        say_text.say_text(iter(["One. " * 2000]), request(tmp_path / "x.wav", play=True))
    assert [path.name for path in tmp_path.iterdir()] == ["bin"]


def test_what_plays_is_looked_for_before_the_model(monkeypatch, tmp_path):
    monkeypatch.setattr(playback, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="nothing here can play audio"):
        say_text.say_text(iter(["One."]), request(None, play=True))
