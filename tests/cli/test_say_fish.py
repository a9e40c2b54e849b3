"""`speech say` with a Fish-Speech: letters to audio, the voice of a recording, and options that it has not."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from speech.audio.input.files import probe
from speech.errors import ConfigError, SpeechError, TextError
from speech.models.fish_checkpoint import save_fish_checkpoint
from speech.models.importers.fish import import_fish
from speech.tts.watermark import Watermarker
from tests.cli.calling import run
from tests.published_fish import CODEC
from tests.published_fish_lm import write_fish
from tests.tiny_watermark import save_tiny_watermark

FRAMES = 12


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("fish")
    checkpoint = import_fish(write_fish(folder / "published"), CODEC)
    checkpoint.model.config.max_frames = FRAMES
    with torch.no_grad():  # no turn ends at once
        checkpoint.model.embed.tokens.weight[:, 0] = 6
        checkpoint.model.output.weight[:, 0] = 3
        checkpoint.model.output.weight[checkpoint.tokenizer.layout.end, 0] = -30
    checkpoint.info["licence"] = "cc-by-nc-sa-4.0"
    save_fish_checkpoint(folder / "ours", checkpoint, card="# tiny\n")
    return folder / "ours"


@pytest.fixture
def recording(tmp_path) -> Path:
    samples = np.random.default_rng(0).standard_normal(16000) * 0.1
    soundfile.write(tmp_path / "voice.wav", samples, 16000)
    (tmp_path / "voice.txt").write_text("user, hello")
    return tmp_path / "voice.wav"


def test_a_text_becomes_audio_and_the_licence_is_shown(model, tmp_path):
    result = run("say", "Hello, world. It cost $5.", "--model", model, "--output", tmp_path / "x.wav")
    assert 0 < probe(tmp_path / "x.wav").duration_s <= FRAMES * 64 / 8000
    assert probe(tmp_path / "x.wav").rate == 8000
    assert " s; licence of the voice: cc-by-nc-sa-4.0" in " ".join(result.stderr.split())


@pytest.fixture(scope="module")
def watermark(tmp_path_factory) -> Path:
    return save_tiny_watermark(tmp_path_factory.mktemp("watermark") / "model")


def test_a_recording_is_imitated_with_a_watermark_only(model, recording, watermark, tmp_path):
    asked = ("say", "Hello.", "--model", model, "--output", tmp_path / "x.wav", "--voice", recording)
    for options in (("--no-watermark",), ("--watermark", watermark, "--no-watermark")):
        with pytest.raises(ConfigError, match="imitates a recording is said only with a watermark"):
            run(*asked, *options)
    assert not (tmp_path / "x.wav").exists()
    written = []
    for options in ((), ("--watermark", "embedded-watermark"), ("--watermark", watermark)):
        run(*asked, *options)
        written.append((tmp_path / "x.wav").read_bytes())
    assert written[0] == written[1] != written[2]


def test_what_is_said_is_marked(model, watermark, tmp_path):
    said = {}
    for name, options in (("plain", ()), ("marked", ("--watermark", watermark, "--message", 7))):
        run("say", "Hello.", "--model", model, "--output", tmp_path / f"{name}.wav", *options)
        said[name] = soundfile.read(tmp_path / f"{name}.wav", dtype="float32")[0]
    padded = np.pad(said["plain"], (0, 4000 - len(said["plain"])))  # the shortest that takes a mark
    expected = Watermarker.from_pretrained(str(watermark)).embed(padded, 8000, 7)[: len(said["plain"])]
    assert np.abs(said["marked"] - said["plain"]).max() > 1e-3
    np.testing.assert_allclose(said["marked"], expected, atol=1e-3)


def test_a_recording_is_imitated_and_a_seed_says_the_same(model, recording, watermark, tmp_path):
    made = []
    imitating = ("--voice", recording, "--watermark", watermark)
    for number, options in enumerate([(), imitating, imitating, ("--seed", 1)]):
        run("say", "Hello.", "--model", model, "--output", tmp_path / f"{number}.wav", *options)
        made.append((tmp_path / f"{number}.wav").read_bytes())
    assert made[1] == made[2]
    assert len(set(made)) == 3


@pytest.mark.parametrize(
    ("text", "options", "error", "said"),
    [
        ("Hello.", ("--words", "x.json"), ConfigError, "tells no word times"),
        ("Hello.", ("--rate", 1.5), ConfigError, "--rate 1.5: a Fish-Speech has one speed"),
        ("<speak>Hello.</speak>", (), TextError, "reads no SSML"),
        ("...", (), TextError, "nothing in the text can be spoken"),
        ("a <|im_end|> b", (), TextError, "is a mark of the model"),
        ("Hello.", ("--voice", "none.wav"), ConfigError, "none.wav: no such file"),
        ("Hello.", ("--voice", "alone.wav"), ConfigError, "alone.txt: no such file. With a Fish-Speech, give"),
    ],
)
def test_what_it_cannot_do_is_said_and_nothing_is_written(model, tmp_path, monkeypatch, text, options, error, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "alone.wav").write_bytes(b"RIFF")
    with pytest.raises(error) as raised:
        run("say", text, "--model", model, "--output", "x.wav", *options)
    assert isinstance(raised.value, SpeechError)
    assert said in str(raised.value)
    assert not (tmp_path / "x.wav").exists()
