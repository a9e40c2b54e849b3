"""The program `espeak-ng`: what it is asked, what becomes of its answer, and what is said where it fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from speech.errors import ConfigError, LanguageError, TextError
from speech.tts.pronunciation.espeak import EspeakPronouncer
from speech.tts.text_front_end.normalise import normalise

PROGRAM = """#!/bin/sh
[ -e "$(dirname "$0")/fails" ] && {{ echo "no data" >&2; exit 1; }}
text=$(cat)
echo "$@ $text" >> {log}
case "$text" in
  *Züge*) echo " t^sˈyːɡə fˈɑːrən" ;;
  *) echo " mˈʏnçən" ;;
esac
"""


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder with a program that answers as eSpeak NG does."""
    script = tmp_path / "espeak-ng"
    script.write_text(PROGRAM.format(log=tmp_path / "asked"))
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def test_it_is_asked_for_what_stands_between_punctuation(program):
    found = EspeakPronouncer()(normalise("Züge fahren, München.", "deu"), "deu")
    assert found.symbols == "ʦˈyːɡə fˈɑːrən, mˈynçən."
    assert [found.symbols[a:b] for a, b in found.words] == ["ʦˈyːɡə", "fˈɑːrən", "mˈynçən"]
    asked = (program / "asked").read_text("utf-8").splitlines()
    assert asked == ["-q --ipa --tie=^ -v de --stdin Züge fahren", "-q --ipa --tie=^ -v de --stdin München"]


def test_what_is_wrong_is_said(program, monkeypatch):
    pronouncer = EspeakPronouncer()
    with pytest.raises(LanguageError, match="no pronunciation is known in 'fin'"):
        pronouncer(normalise("Hei", "fin"), "fin")
    (program / "fails").touch()
    with pytest.raises(TextError, match="cannot pronounce 'Hallo': no data"):
        pronouncer(normalise("Hallo", "deu"), "deu")
    monkeypatch.setenv("PATH", str(program / "none"))
    with pytest.raises(ConfigError, match="espeak-ng, which knows how words are pronounced, is not installed"):
        EspeakPronouncer()
