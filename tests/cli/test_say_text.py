"""What `speech say` writes: nothing where it fails half-way; and that a long text is said while it is read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from speech.choices import AudioEncoding
from speech.cli import say_text
from speech.cli.say import SayRequest, in_pieces
from speech.errors import LanguageError, TextError
from speech.speaker import Speaker
from speech.tts.speech_stream import SpeakingOptions
from tests.tts.counting import CountingSynthesizer, LetterPronouncer


@pytest.fixture
def speaker(monkeypatch: pytest.MonkeyPatch) -> Speaker:
    made = Speaker(CountingSynthesizer(), LetterPronouncer())
    monkeypatch.setattr(say_text.Speaker, "from_pretrained", lambda *_, **__: made)
    return made


def request(output: Path, **more) -> SayRequest:
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
