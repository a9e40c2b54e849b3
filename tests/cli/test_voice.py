"""`speech voice`: blend, show, add, remove and list; and `speech say --voice` with what they make."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from speech.errors import ConfigError, FileError, ModelError
from speech.models.adapters.file import fingerprint
from speech.models.kokoro_voice import blend
from speech.tts.voice_file import VoiceFile, load_voice, save_voice
from tests.cli.calling import run
from tests.tts.kokoro_voices import kokoro_checkpoint, letters_program, save_kokoro


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{letters_program(tmp_path / 'bin')}:/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    return save_kokoro(tmp_path / "model")


def cloned(model: Path) -> VoiceFile:
    return VoiceFile(
        name="anna", language="deu", kind="kokoro", model=fingerprint(model), tensors={"styles": torch.randn(10, 8)},
        cloned=True, card="Anna agrees.", created="2026-11-30",
    )  # fmt: skip


def said(model: Path, voice: str) -> bytes:
    run("say", "Hello there.", "--model", model, "--output", "x.pcm", "--voice", voice)
    return Path("x.pcm").read_bytes()


def test_a_blend_becomes_a_file_that_says_the_same(model):
    told = run("voice", "blend", model, "af_one:3,ef_two:1", "--to", "my.voice").stderr
    assert told == "my.voice: voice my, af_one:0.750000,ef_two:0.250000\n"
    made = load_voice(Path("my.voice"))
    assert (made.name, made.language, made.kind, made.model) == ("my", "eng", "kokoro", fingerprint(model))
    assert not made.cloned
    assert "- af_one, 0.750 (of the model)\n- ef_two, 0.250 (of the model)" in made.card
    expected = blend(kokoro_checkpoint().voices, {"af_one": 3, "ef_two": 1})
    torch.testing.assert_close(made.tensors["styles"], expected)
    assert said(model, "my.voice") == said(model, "af_one:.75,ef_two:.25") != said(model, "af_one")
    mixed, same = (said(model, voice) for voice in ("my.voice:1,af_one:1", "af_one:.875,ef_two:.125"))
    np.testing.assert_allclose(np.frombuffer(mixed, "<i2"), np.frombuffer(same, "<i2"), atol=50)


def test_a_voice_is_added_listed_said_and_removed(model):
    Path("licence.md").write_text("CC0.")
    run("voice", "blend", model, "ef_two:1,ff_three:3", "--to", "x.voice", "--name", "mine", "--card", "licence.md")
    run("voice", "add", model, "x.voice")
    assert run("voice", "list", model).stdout.splitlines() == [
        "af_one            eng", "ef_two            spa", "ff_three          fra", "mine              fra  added",
    ]  # fmt: skip
    assert said(model, "mine") == said(model, "x.voice")
    with pytest.raises(ConfigError, match="there is a voice 'mine' already"):
        run("voice", "add", model, "x.voice")
    run("voice", "add", model, "x.voice", "--force")
    run("voice", "blend", model, "mine:1,af_one:1", "--to", "y.voice")
    assert "## mine\n\nCC0.\n\nBlend of voices" in load_voice(Path("y.voice")).card
    run("voice", "remove", model, "mine")
    assert "mine" not in run("voice", "list", model).stdout
    for name in ("af_one", "ef_two"):
        run("voice", "remove", model, name)
    with pytest.raises(ConfigError, match="'ff_three' is the only voice"):
        run("voice", "remove", model, "ff_three")
    with pytest.raises(ConfigError, match=r"no voice '\.\./config'. There are ff_three"):
        run("voice", "remove", model, "../config")


def test_what_is_made_of_a_cloned_voice_is_cloned(model):
    save_voice(Path("anna.voice"), cloned(model))
    run("voice", "add", model, "anna.voice")
    assert "anna              deu  added  cloned" in run("voice", "list", model).stdout
    run("voice", "blend", model, "anna:1,af_one:9", "--to", "y.voice")
    assert load_voice(Path("y.voice")).cloned
    assert "Anna agrees." in load_voice(Path("y.voice")).card


def test_a_file_is_shown_in_plain_letters(model):
    save_voice(Path("a.voice"), replace(cloned(model), card="# Anna\n\x1b[31mred", phonemes="ˈana"))
    shown = run("voice", "show", "a.voice").stdout
    assert shown.splitlines()[:4] == [
        "name      anna", "language  deu", f"fits      kokoro {fingerprint(model)[:12]}", "cloned    yes",
    ]  # fmt: skip
    assert "holds     styles (10, 8)" in shown
    assert shown.endswith("# Anna\n\\x1b[31mred\n")


def test_what_does_not_fit_is_refused(model, tmp_path):
    other = replace(cloned(model), model="0" * 64)
    save_voice(Path("other.voice"), other)
    for command in (
        ["voice", "add", model, "other.voice"],
        ["say", "A.", "--model", model, "--voice", "other.voice", "--output", "x.wav"],
    ):
        with pytest.raises(ModelError, match="is a voice for another model"):
            run(*command)
    save_voice(Path("wide.voice"), replace(cloned(model), tensors={"styles": torch.ones(10, 6)}))
    with pytest.raises(ModelError, match=r"has shape \(10, 6\)"):
        run("voice", "add", model, "wide.voice")
    with pytest.raises(ModelError, match=r"none\.voice: cannot be read"):
        run("say", "A.", "--model", model, "--voice", "none.voice", "--output", "x.wav")
    with pytest.raises(ModelError, match="has no voices"):
        run("voice", "list", "embedded")
    with pytest.raises(ConfigError, match="no voice 'none'"):
        run("voice", "blend", model, "none", "--to", "x.voice")
    with pytest.raises(ModelError, match="its name is 'a b'"):
        run("voice", "blend", model, "af_one", "--to", "a b.voice")
    with pytest.raises(FileError):
        run("voice", "blend", model, "af_one", "--to", "x.voice", "--card", "none.md")
    save_voice(Path("x.voice"), replace(cloned(model), name="af_one"))
    with pytest.raises(ConfigError, match="two voices of a blend have one name: af_one, af_one"):
        run("say", "A.", "--model", model, "--voice", "x.voice:1,af_one:1", "--output", "x.wav")
