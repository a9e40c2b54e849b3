"""`speech watermark`: marks a file, finds a mark, and says what is wrong in a line."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speech.errors import AudioError, ConfigError, FileError, ModelError
from speech.tts.watermark_listening import SPEEDS
from tests.cli.calling import run
from tests.tiny_watermark import save_tiny_watermark

CLIPS = Path(__file__).parents[2] / "speech" / "assets" / "clips"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Whatever it hears counts as marked."""
    return save_tiny_watermark(tmp_path_factory.mktemp("w") / "model", evidence=-1000.0)


@pytest.fixture(scope="module")
def never(tmp_path_factory):
    """Nothing counts as marked."""
    return save_tiny_watermark(tmp_path_factory.mktemp("n") / "model", evidence=1000.0)


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "clip.wav"
    noise = 0.1 * np.random.default_rng(0).standard_normal((24000, 2))
    soundfile.write(path, noise.astype(np.float32), 16000)
    return path


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".MP3"])
def test_a_file_is_marked_at_its_rate(model, clip, tmp_path, suffix):
    output = tmp_path / f"marked{suffix}"
    said = run("watermark", "embed", clip, "-o", output, "--message", 7, "--model", model)
    assert said.exit_code == 0
    assert said.stdout.replace("\n", "") == f"{output}: message 7"
    info = soundfile.info(output)
    assert (info.samplerate, info.channels) == (16000, 1)
    assert abs(info.frames - 24000) < 3000  # MP3 pads
    if suffix in (".wav", ".flac"):
        plain = soundfile.read(clip)[0].mean(axis=1)
        marked = soundfile.read(output)[0]
        assert 10 < 10 * np.log10(np.square(plain).sum() / np.square(marked - plain).sum()) < 40


def test_full_scale_is_not_exceeded(model, tmp_path):
    loud, output = tmp_path / "loud.wav", tmp_path / "marked.wav"
    soundfile.write(loud, np.sign(np.sin(np.arange(16000) / 9)).astype(np.float32), 16000, subtype="FLOAT")
    assert run("watermark", "embed", loud, "-o", output, "--model", model).exit_code == 0
    assert np.corrcoef(soundfile.read(output)[0], soundfile.read(loud)[0])[0, 1] > 0.9  # no sample wraps around


def test_a_mark_is_reported_for_readers_and_programs(model, never, clip):
    said = run("watermark", "detect", clip, "--model", model).stdout
    assert f"{clip}: marked, " in said.replace("\n", "")
    assert " s to " in said
    record = json.loads(run("watermark", "detect", clip, "--model", model, "--json").stdout)
    assert record["file"] == str(clip)
    assert record["marked"] is True
    assert record["threshold"] == -1000
    assert record["segments"][0].keys() == {"start_s", "end_s"}
    assert record["speed"] in SPEEDS
    record = json.loads(run("watermark", "detect", clip, "--model", never, "--json").stdout)
    assert (record["marked"], record["segments"], record["message"], record["speed"]) == (False, [], None, 1.0)
    assert "no mark found (score " in run("watermark", "detect", clip, "--model", never).stdout


def test_what_is_wrong_is_said(model, clip, tmp_path):
    output, short = tmp_path / "o.wav", tmp_path / "short.wav"
    soundfile.write(short, np.zeros(800, np.float32), 16000)
    text = tmp_path / "text.wav"
    text.write_text("no audio")
    for error, message, arguments in (
        (ConfigError, "message 300, expected 0 to 255", ["embed", clip, "-o", output, "--message", 300]),
        (ConfigError, "suffix '.txt', expected .wav", ["embed", clip, "-o", tmp_path / "o.txt"]),
        (ConfigError, "is the file that is read", ["embed", clip, "-o", clip]),
        (FileError, "cannot be read", ["embed", tmp_path / "none.wav", "-o", output]),
        (AudioError, "short.wav: has 0.05 s, expected 0.5 s", ["embed", short, "-o", output]),
        (AudioError, "short.wav: has 0.05 s, expected 0.5 s", ["detect", short]),
        (AudioError, "text.wav: is not audio", ["detect", text]),
    ):
        with pytest.raises(error, match=message):
            run("watermark", *arguments, "--model", model)
    assert not output.exists()


@pytest.mark.parametrize("name", ["LJ003-0041.ogg", "kerstin_de_rhasspy-2423.ogg"])
def test_the_watermark_of_the_package_marks_and_finds(tmp_path, name):
    speech = CLIPS / name
    run("watermark", "embed", speech, "-o", tmp_path / "o.mp3", "--message", 77)
    assert "marked, message 77" in run("watermark", "detect", tmp_path / "o.mp3").stdout
    assert "no mark found" in run("watermark", "detect", speech).stdout


def test_the_speed_is_said_if_it_is_another(tmp_path):
    speech, marked, fast = CLIPS / "LJ003-0041.ogg", tmp_path / "marked.wav", tmp_path / "fast.wav"
    run("watermark", "embed", speech, "-o", marked, "--message", 77)
    samples, rate = soundfile.read(marked)
    soundfile.write(fast, samples, round(1.1 * rate))
    said = run("watermark", "detect", fast).stdout.replace("\n", " ")
    assert "marked, message 77, played about 1.12 times as fast" in said
    assert json.loads(run("watermark", "detect", fast, "--json").stdout)["speed"] == 1.124
    assert "times as fast" not in run("watermark", "detect", marked).stdout


def test_a_model_that_is_nothing_is_refused(clip):
    with pytest.raises(ModelError, match="no such model"):
        run("watermark", "detect", clip, "--model", "nowhere")
