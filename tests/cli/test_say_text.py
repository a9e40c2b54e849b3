"""What `speech say` writes where it fails half-way: nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from speech.choices import AudioEncoding
from speech.cli import say_text
from speech.errors import LanguageError
from speech.speaker import Speaker
from tests.tts.counting import CountingSynthesizer, LetterPronouncer


def test_a_text_that_fails_half_way_leaves_no_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    speaker = Speaker(CountingSynthesizer(), LetterPronouncer())
    monkeypatch.setattr(say_text, "reads_letters", lambda _: False)
    monkeypatch.setattr(say_text.Speaker, "from_pretrained", lambda *_, **__: speaker)
    old = tmp_path / "x.wav"
    old.write_text("old")

    def say(*pieces: str) -> None:
        manner = {"language": "eng"}
        paths = {"output": old, "words": tmp_path / "x.json"}
        say_text.say_text(iter(pieces), manner, model="x", device="cpu", encoding=AudioEncoding.wav, **paths)

    with pytest.raises(LanguageError, match="line 1, column 13"):
        say("One. Two. ", "A два.")
    assert [path.name for path in tmp_path.iterdir()] == ["x.wav"]
    assert old.read_text() == "old"
    say("One. Two. ", "A.")
    assert old.read_bytes()[:4] == b"RIFF"
