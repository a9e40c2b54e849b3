"""`speech voice`: blend, clone, show, add, remove and list; and `speech say --voice` with what they make."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch

from speech.audio.input.files import probe
from speech.errors import ConfigError, FileError, ModelError
from speech.models.adapters.file import fingerprint
from speech.models.kokoro_voice import blend
from speech.speaker import Speaker
from speech.tts.voice_file import VoiceFile, load_voice, save_voice
from tests.cli.calling import run
from tests.stand_in_packages import install_resemblyzer
from tests.tiny_voice import SPEAKERS, save_tiny_voice
from tests.tiny_watermark import save_tiny_watermark
from tests.tts.kokoro_voices import kokoro_checkpoint, letters_program, save_kokoro, ship_kokoro

CLIP = Path(str(files("speech") / "assets" / "clips" / "ast_en_priv-callpending.ogg"))
SAID = "I have a caller waiting, who introduces themselves as:"


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
    expected = blend(kokoro_checkpoint().voices, {"af_one": 3, "ef_two": 1}).styles
    torch.testing.assert_close(made.tensors["styles"], expected)
    assert said(model, "my.voice") == said(model, "af_one:.75,ef_two:.25") != said(model, "af_one")
    mixed, same = (said(model, voice) for voice in ("my.voice:1,af_one:1", "af_one:.875,ef_two:.125"))
    np.testing.assert_allclose(np.frombuffer(mixed, "<i2"), np.frombuffer(same, "<i2"), atol=50)


def test_voices_of_the_package_have_a_name(model, tmp_path, monkeypatch):
    folder = ship_kokoro(tmp_path / "package", monkeypatch)
    listed = run("voice", "list", model).stdout
    assert "af_one" in listed
    assert run("voice", "list").stdout == run("voice", "list", "embedded-voice").stdout == listed
    run("voice", "blend", "embedded-voice", "af_one:3,ef_two:1", "--to", "my.voice")
    assert load_voice(Path("my.voice")).model == fingerprint(folder)
    run("voice", "add", "embedded-voice", "my.voice")
    assert "my                eng  added" in run("voice", "list").stdout
    described = run("models", "embedded-voice").stdout
    assert f"path          {folder}" in described.replace("\n", "")
    assert "kind          kokoro" in described
    assert "voices        af_one ef_two ff_three my" in described


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


def test_an_aligned_model_keeps_voices_beside_its_speakers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = save_tiny_voice(tmp_path / "model")
    run("voice", "blend", model, "ann:3,ben:1", "--to", "x.voice", "--name", "mine")
    mean = 0.75 * SPEAKERS["ann"].embedding + 0.25 * SPEAKERS["ben"].embedding
    torch.testing.assert_close(load_voice(Path("x.voice")).tensors["speaker"], mean)
    run("voice", "add", model, "x.voice")
    listed = ["ann               eng", "ben               deu", "mine              eng  added"]
    assert run("voice", "list", model).stdout.splitlines() == listed
    assert voices_of_model(model) == ("ann", "ben", "mine")
    with pytest.raises(ConfigError, match="'ann' is a voice of the model itself"):
        run("voice", "remove", model, "ann")
    run("voice", "blend", model, "mine", "--to", "y.voice", "--name", "ann")
    with pytest.raises(ConfigError, match="there is a voice 'ann' already"):
        run("voice", "add", model, "y.voice")
    run("voice", "remove", model, "mine")
    assert run("voice", "list", model).stdout.splitlines() == listed[:2]
    with pytest.raises(ModelError, match="is a voice for a model of kind 'aligned_ar', not 'kokoro'"):
        run("voice", "add", save_kokoro(tmp_path / "kokoro"), "x.voice")


def voices_of_model(model: Path) -> tuple[str, ...]:
    return Speaker.from_pretrained(str(model)).voices


def test_a_recording_becomes_a_voice_that_is_said_with_a_watermark(tmp_path, monkeypatch):
    install_resemblyzer(monkeypatch, tmp_path / "packages")
    monkeypatch.chdir(tmp_path)
    model = save_tiny_voice(tmp_path / "model", speaker_dim=256, positions=600)
    mark = save_tiny_watermark(tmp_path / "mark", sample_rate=8000)
    Path("consent.txt").write_text("Allison agrees to be imitated in a test.")
    clone = ["voice", "clone", model, CLIP, "--consent", "consent.txt"]
    Path("said.txt").write_text(SAID)
    told = run(*clone, "--to", "zoe.voice", "--text", "said.txt", "--language", "English").stderr
    made = load_voice(Path("zoe.voice"))
    assert told == f"zoe.voice: voice zoe, phonemes {made.phonemes}\n"
    assert (made.name, made.language, made.cloned, made.model) == ("zoe", "eng", True, fingerprint(model))
    assert set(made.tensors) == {"speaker", "codes", "frames"}
    assert int(made.tensors["frames"].sum()) == made.tensors["codes"].shape[1] == pytest.approx(380, abs=3)
    assert "Allison agrees to be imitated in a test." in run("voice", "show", "zoe.voice").stdout
    run(*clone, "--to", "heard.voice", "--name", "eve")  # the recogniser writes what is said
    heard = load_voice(Path("heard.voice"))
    assert torch.equal(heard.tensors["codes"], made.tensors["codes"])
    assert int(heard.tensors["frames"].sum()) == int(made.tensors["frames"].sum())
    say = ["say", "A bad cab.", "--model", model, "--output", "x.wav", "--voice"]
    with pytest.raises(ConfigError, match="the voice 'zoe' is cloned: it is said only with a watermark"):
        run(*say, "zoe.voice")
    run("voice", "add", model, "zoe.voice")
    assert "zoe               eng  added  cloned" in run("voice", "list", model).stdout
    run(*say, "zoe", "--watermark", mark)
    assert probe(Path("x.wav")).duration_s > 0.05


def test_a_kokoro_imitates_a_recording_and_says_so_only_with_a_watermark(model, tmp_path, monkeypatch):
    install_resemblyzer(monkeypatch, tmp_path / "packages")
    monkeypatch.setattr("speech.tts.style_fitting.PROSODY_STEPS", 2)
    monkeypatch.setattr("speech.tts.style_fitting.TIMBRE_STEPS", 2)
    Path("consent.txt").write_text("Allison agrees to be imitated in a test.")
    told = run(
        "voice", "clone", model, CLIP, "--consent", "consent.txt", "--to", "zoe.voice", "--text", "A cab."
    ).stderr
    assert told == "zoe.voice: voice zoe\n"
    made = load_voice(Path("zoe.voice"))
    assert (made.kind, made.cloned, set(made.tensors)) == ("kokoro", True, {"styles", "norms"})
    mark = save_tiny_watermark(tmp_path / "mark", sample_rate=24000)
    say = ["say", "A bad cab.", "--model", model, "--output", "x.wav", "--voice", "zoe.voice"]
    with pytest.raises(ConfigError, match="the voice 'zoe' is cloned: it is said only with a watermark"):
        run(*say, "--no-watermark")
    run(*say, "--watermark", mark)
    assert probe(Path("x.wav")).duration_s > 0.01


def test_what_a_clone_lacks_is_named(model, tmp_path, monkeypatch):
    aligned = save_tiny_voice(tmp_path / "aligned", speaker_dim=256, positions=600)
    Path("consent.txt").write_text("I agree.")
    rest = [CLIP, "--to", "x.voice", "--consent", "consent.txt", "--text", SAID]
    monkeypatch.setitem(sys.modules, "resemblyzer", None)
    for each in (aligned, model):
        with pytest.raises(ConfigError, match=r"the package resemblyzer.*\[speech-scores\]"):
            run("voice", "clone", each, *rest)
    with pytest.raises(FileError, match=r"none\.txt"):
        run("voice", "clone", aligned, *rest[:3], "--consent", "none.txt")
    Path("consent.txt").write_text("\n")
    with pytest.raises(ConfigError, match="there is no consent"):
        run("voice", "clone", aligned, *rest)
    assert not Path("x.voice").exists()
