"""`speech interpret` through the command line, with the models of the package."""

import json
import re

import numpy as np
import pytest
import soundfile

from speech.cli.interpret_file import enrolment, over_original
from speech.errors import AudioError, ConfigError, LanguageError
from speech.interpreting import Interpretation
from tests.cli.calling import run

CLIP = "speech/assets/clips/ast_fr_priv-callpending.ogg"


def test_a_recording_is_said_in_english(tmp_path):
    output, words = tmp_path / "x.wav", tmp_path / "x.json"
    result = run(
        "interpret", CLIP, "--to", "English", "--language", "fra", "--output", output, "--words", words,
        "--original", "0.2",
    )  # fmt: skip
    assert re.search(r"x\.wav: \d+\.\d s, \d utterances, each over \d+\.\d s after its original", result.stderr)
    samples, rate = soundfile.read(output)
    told = json.loads(words.read_text())
    assert rate == 24_000
    assert told["language"] == "eng"
    first, last = told["words"][0], told["words"][-1]
    assert 0.0 < first["start"] < last["end"] <= told["duration"] <= len(samples) / rate + 1e-3
    under = samples[: round(0.9 * first["start"] * rate)]
    assert 0.0 < np.abs(under).max() < 0.25  # the original alone


def test_a_language_that_the_model_does_not_translate_into(tmp_path):
    with pytest.raises(LanguageError, match="fra"):
        run("interpret", CLIP, "--to", "fra", "--output", tmp_path / "x.wav")
    assert not list(tmp_path.iterdir())


def test_silence_has_no_translation(tmp_path):
    soundfile.write(tmp_path / "quiet.wav", np.zeros(16_000), 16_000)
    with pytest.raises(AudioError, match=r"quiet\.wav: nobody speaks"):
        run("interpret", tmp_path / "quiet.wav", "--to", "eng", "--output", tmp_path / "x.wav")
    assert not (tmp_path / "x.wav").exists()


def test_whoever_is_imitated_speaks_a_language_that_is_named(tmp_path):
    consent = tmp_path / "consent.txt"
    consent.write_text("I agree.")
    with pytest.raises(ConfigError, match="language of the recording"):
        run("interpret", CLIP, "--to", "eng", "--output", tmp_path / "x.wav", "--clone", "--consent", consent)
    assert not (tmp_path / "x.wav").exists()


def test_a_voice_is_made_of_ten_seconds_of_speech():
    samples = np.arange(60 * 16_000, dtype=np.float32)
    part = enrolment(samples, [(1.0, 5.0), (6.0, 10.0), (12.0, 20.0)])
    assert (part[0], len(part)) == (16_000, 13 * 16_000)  # 4 + 4 + 2 s of speech, and pauses of 3 s
    assert len(enrolment(samples, [(0.0, 1.0), (50.0, 55.0)])) == 30 * 16_000
    assert len(enrolment(samples, [(2.0, 5.0)])) == 3 * 16_000
    assert len(enrolment(samples, [])) == 0


def test_the_original_lies_under_the_translation():
    found = Interpretation(np.full(1200, 0.9, np.float32), 24_000, ())
    original = np.full(1600, 0.5, np.float32)
    assert over_original(found, original, 0.0) is found.samples
    mixed = over_original(found, original, 0.5)
    assert len(mixed) == 2400
    assert mixed.max() == 1.0
    assert mixed[1800] == pytest.approx(0.25, abs=0.02)
