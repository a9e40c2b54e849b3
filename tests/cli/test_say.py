"""`speech say`: options, files, formats and word times, through the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from speech.audio import playback
from speech.audio.input.files import probe
from speech.audio.output import int16_samples
from speech.errors import ConfigError, FileError, ModelError, SpeechError, TextError
from speech.models.adapters.file import fingerprint
from speech.speaker import Speaker
from speech.tts.speech_stream import SpeakingOptions
from speech.tts.voice_file import VoiceFile, save_voice
from speech.tts.watermark import WatermarkChoice, Watermarker
from tests.audio.players import player
from tests.cli.calling import run
from tests.tiny_watermark import save_tiny_watermark
from tests.tts.kokoro_voices import letters_program, save_kokoro, ship_kokoro


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return save_kokoro(tmp_path_factory.mktemp("kokoro") / "model")


@pytest.fixture(autouse=True)
def program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", f"{letters_program(tmp_path / 'bin')}:/usr/bin:/bin")


def test_without_a_model_the_voice_of_the_package_speaks(model, tmp_path, monkeypatch):
    folder = ship_kokoro(tmp_path / "package", monkeypatch)
    said = set()
    for given in ([], ["--model", "embedded-voice"], ["--model", model]):
        run("say", "Hello there.", *given, "--output", tmp_path / "x.pcm")
        said.add((tmp_path / "x.pcm").read_bytes())
        (tmp_path / "x.pcm").unlink()
    assert len(said) == 1
    assert any(said.pop())
    shutil.rmtree(folder)
    with pytest.raises(ModelError, match="embedded-voice: this version ships no such model"):
        run("say", "Hello there.", "--output", tmp_path / "none.wav")
    assert not (tmp_path / "none.wav").exists()


@pytest.mark.parametrize("suffix", ["wav", "mp3", "opus", "flac", "aac"])
def test_a_text_becomes_audio(model, tmp_path, suffix):
    output, words = tmp_path / f"x.{suffix}", tmp_path / "x.json"
    result = run("say", "Hello there, Anna. It cost $5.", "--model", model, "--output", output, "--words", words)
    times = json.loads(words.read_text())
    assert [word["text"] for word in times["words"]] == "Hello there Anna It cost five dollars".split()
    assert times["words"][-1]["source"] == [27, 29]
    assert times["words"][-1]["end"] <= times["duration"]
    assert probe(output).duration_s == pytest.approx(times["duration"], abs=0.15)
    assert result.stderr.split("\n")[-2].endswith(f"x.{suffix}: {times['duration']:.1f} s, 7 words")


def test_files_and_standard_input_say_the_same_as_the_argument(model, tmp_path):
    text = "Hello there.\nIt is the end."
    (tmp_path / "text.txt").write_text(text)
    made = []
    for number, (source, piped) in enumerate([(text, None), (tmp_path / "text.txt", None), ("-", text)]):
        output = tmp_path / f"{number}.wav"
        run("say", source, "--model", model, "--output", output, input=piped)
        made.append(output.read_bytes())
    assert made[0] == made[1] == made[2]
    run("say", text, "--model", model, "--output", tmp_path / "seed.wav", "--seed", 1)
    assert (tmp_path / "seed.wav").read_bytes() != made[0]


def test_markup_is_said_and_subtitles_are_written(model, tmp_path):
    document = '<speak>Hello <break time="1s"/> there.</speak>'
    run("say", document, "--model", model, "--output", tmp_path / "x.wav", "--words", tmp_path / "x.srt")
    lines = (tmp_path / "x.srt").read_text().splitlines()
    assert [line for line in lines if line.isalpha()] == ["Hello", "there"]
    run("say", "Hello there.", "--model", model, "--output", tmp_path / "y.wav", "--words", tmp_path / "y.vtt")
    assert (tmp_path / "y.vtt").read_text().startswith("WEBVTT")
    assert probe(tmp_path / "x.wav").duration_s > probe(tmp_path / "y.wav").duration_s + 0.9


def test_marks_of_headings_in_markdown_are_not_said(model, tmp_path):
    (tmp_path / "text.md").write_text("## The end\n\nHello there.")
    run("say", tmp_path / "text.md", "--model", model, "--output", tmp_path / "x.wav", "--words", tmp_path / "x.json")
    words = json.loads((tmp_path / "x.json").read_text())["words"]
    assert [(word["text"], word["source"]) for word in words][:2] == [("The", [3, 6]), ("end", [7, 10])]


@pytest.mark.parametrize(
    ("text", "options", "error", "said"),
    [
        ("Hello.", {"--output": "x.ogg"}, ConfigError, "Give a name that ends with .wav, .mp3"),
        ("Hello.", {"--words": "x.txt"}, ConfigError, "ends with .json, .srt, .vtt"),
        ("Hello.", {"--voice": "none"}, ConfigError, "no voice 'none'. There are af_one"),
        ("Hello.", {"--rate": "3"}, ConfigError, "rate"),
        ("Hello.", {"--language": "fin"}, SpeechError, "no pronunciation is known in 'fin'"),
        ("Hello.", {"--model": "embedded"}, ModelError, "has no voice"),
        (" ", {}, TextError, "there is no text"),
        ("...", {}, TextError, "nothing in the text can be spoken"),
        ("none.txt", {}, FileError, "none.txt: cannot be read: no such file"),
        ("<speak>a</spea>", {}, TextError, "line 1"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(model, tmp_path, monkeypatch, text, options, error, said):
    monkeypatch.chdir(tmp_path)
    given = {"--model": str(model), "--output": "x.wav"} | options
    with pytest.raises(error) as raised:
        run("say", text, *(part for pair in given.items() for part in pair))
    assert said in str(raised.value)
    assert not [path for path in tmp_path.iterdir() if path.suffix in {".wav", ".ogg", ".txt"}]


@pytest.mark.parametrize("options", [[], ["--play", "--chapters"], ["--chapters"]])
def test_something_has_to_be_done_with_the_speech(model, options):
    with pytest.raises(ConfigError, match="--output is needed"):
        run("say", "Hello.", "--model", model, *options)


def test_a_text_is_played(model, monkeypatch, tmp_path):
    monkeypatch.setattr(playback, "find_spec", lambda name: None)
    heard = player(tmp_path / "bin", "ffplay")
    run("say", "Hello there.", "--model", model, "--play")
    run("say", "Hello there.", "--model", model, "--output", tmp_path / "x.pcm")
    assert heard.read_bytes() == (tmp_path / "x.pcm").read_bytes()


@pytest.fixture(scope="module")
def watermark(tmp_path_factory) -> Path:
    return save_tiny_watermark(tmp_path_factory.mktemp("watermark") / "model", sample_rate=24000)


TEXT = "Hello there, Anna. It is so. " * 5


def heard(folder: Path, model: Path, *options) -> np.ndarray:
    where = ("--model", model, "--output", folder / "x.pcm", "--words", folder / "x.json")
    run("say", TEXT, *where, *options)
    return np.frombuffer((folder / "x.pcm").read_bytes(), "<i2")


def test_speech_is_marked_where_a_watermark_is_known(model, watermark, tmp_path, monkeypatch):
    plain = heard(tmp_path, model, "--no-watermark")
    times = (tmp_path / "x.json").read_text()
    unmarked = Speaker.from_pretrained(str(model), watermark=WatermarkChoice(on=False))
    whole = unmarked.say(TEXT, SpeakingOptions(language="eng")).samples
    shipped = np.concatenate(list(Watermarker.from_pretrained("embedded-watermark").embed_stream([whole], 0)))
    np.testing.assert_allclose(heard(tmp_path, model), int16_samples(shipped), atol=2)
    marked = heard(tmp_path, model, "--watermark", watermark, "--message", 7)
    expected = np.concatenate(list(Watermarker.from_pretrained(str(watermark)).embed_stream([whole], 7)))
    np.testing.assert_allclose(marked, int16_samples(expected), atol=2)
    assert np.abs(marked.astype(int) - plain).max() > 20
    assert (tmp_path / "x.json").read_text() == times
    monkeypatch.setenv("SPEECH_WATERMARK_MODEL", str(watermark))
    np.testing.assert_array_equal(heard(tmp_path, model, "--message", 7), marked)
    np.testing.assert_array_equal(heard(tmp_path, model, "--no-watermark"), plain)
    monkeypatch.delenv("SPEECH_WATERMARK_MODEL")
    own = shutil.copytree(model, tmp_path / "own")
    shutil.copytree(watermark, own / "watermark")
    np.testing.assert_array_equal(heard(tmp_path, own, "--message", 7), marked)
    np.testing.assert_array_equal(heard(tmp_path, own, "--no-watermark"), plain)


def test_a_cloned_voice_is_said_only_with_a_watermark(model, watermark, tmp_path):
    voice = VoiceFile(
        name="anna", language="eng", kind="kokoro", model=fingerprint(model), tensors={"styles": torch.randn(10, 8)},
        cloned=True, card="Anna agrees.", created="2026-11-30",
    )  # fmt: skip
    save_voice(tmp_path / "anna.voice", voice)
    for options in (["--no-watermark"], ["--watermark", watermark, "--no-watermark"]):
        with pytest.raises(ConfigError, match="the voice 'anna' is cloned: it is said only with a watermark"):
            heard(tmp_path, model, "--voice", tmp_path / "anna.voice", *options)
    assert not (tmp_path / "x.pcm").exists()
    assert len(heard(tmp_path, model, "--voice", tmp_path / "anna.voice", "--watermark", watermark))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--message", "7", "--no-watermark"], "without a watermark that carries it"),
        (["--message", "256"], "expected 0 to 255"),
        (["--message", "-1"], "expected 0 to 255"),
    ],
)
def test_messages_that_cannot_be_carried_are_refused(model, tmp_path, options, said):
    with pytest.raises(ConfigError, match=said):
        heard(tmp_path, model, *options)
