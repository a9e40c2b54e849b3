"""Voices from recordings: what they hold, how they are said, and recordings that give none."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from speech.audio.input.files import load_audio
from speech.audio.vad import Vad
from speech.errors import AudioError, ConfigError, DataError, LanguageError, ModelError, TextError
from speech.metrics.speech_quality.voice import VoiceEncoder
from speech.tts.aligned_cloning import AlignedCloner
from speech.tts.aligned_synthesizer import AlignedSynthesizer
from speech.tts.cloning import CloneRequest
from speech.tts.pronunciation.letters import LetterPronouncer
from tests.pronounced import tiny_letter_phonemes
from tests.stand_in_packages import install_resemblyzer
from tests.tiny_codec import tiny_codec
from tests.tiny_voice import VOCABULARY, tiny_voice
from tests.tts.hearing import Hearing

CLIP = Path(str(files("speech") / "assets" / "clips" / "ast_en_priv-callpending.ogg"))
WANTED = CloneRequest(name="zoe", language="en", consent="Zoe agrees.\n", text="A bad cab. Dead bee!")
CODEC = tiny_codec()


def cloner(speaker_dim: int = 0, listener: Hearing | None = None, positions: int = 600) -> AlignedCloner:
    checkpoint = tiny_voice(speaker_dim=speaker_dim, positions=positions)
    synthesizer = AlignedSynthesizer(checkpoint.model, VOCABULARY, CODEC, {})
    return AlignedCloner(synthesizer, LetterPronouncer(tiny_letter_phonemes()), "0" * 64, listener or Hearing())


def test_a_voice_holds_the_codes_of_the_recording_and_durations_by_its_words():
    made = cloner().clone(CLIP, WANTED)
    samples = torch.from_numpy(load_audio(CLIP, rate=8000))
    with torch.inference_mode():
        codes, (count,) = CODEC.encode(samples[None], torch.tensor([len(samples)]))
    assert torch.equal(made.tensors["codes"], codes[0].int())
    assert set(made.tensors) == {"codes", "frames"}
    assert made.phonemes[0] == "^"
    assert made.phonemes[-1] == "$"
    frames = made.tensors["frames"].tolist()
    assert len(frames) == len(made.phonemes)
    assert sum(frames) == int(count)
    assert frames[0] == 50  # silence before the first word
    assert made.phonemes.endswith("!$")
    assert sum(frames[-2:]) == pytest.approx(int(count) - 140, abs=1)  # the last word ends after 1.4 s
    assert (made.name, made.language, made.kind, made.cloned) == ("zoe", "eng", "aligned_ar", True)
    assert "a recording of 3.8 s in English (eng)" in made.card
    assert made.card.endswith("## Consent\n\nZoe agrees.\n")


def test_a_model_with_speakers_gets_the_vector_that_it_was_trained_with(tmp_path, monkeypatch):
    install_resemblyzer(monkeypatch, tmp_path)
    made = cloner(256).clone(CLIP, WANTED)
    expected = torch.from_numpy(VoiceEncoder(Vad()).vector(load_audio(CLIP)))
    torch.testing.assert_close(made.tensors["speaker"], expected)
    with pytest.raises(ConfigError, match="takes embeddings of 3 numbers, those of recordings have 256"):
        cloner(3)
    monkeypatch.setitem(sys.modules, "resemblyzer", None)
    with pytest.raises(ConfigError, match=r"the package resemblyzer.*\[speech-scores\]"):
        cloner(256)


def test_without_a_text_the_recogniser_writes_it():
    one = cloner(listener=Hearing("A bad cab. Dead bee!"))
    assert one.clone(CLIP, replace(WANTED, text="")).phonemes == cloner().clone(CLIP, WANTED).phonemes
    with pytest.raises(TextError, match="nothing in the text of the recording can be said"):
        cloner(listener=Hearing("")).clone(CLIP, replace(WANTED, text=""))


def test_recordings_that_give_no_voice_are_named(tmp_path):
    def wave(name: str, seconds: float) -> Path:
        soundfile.write(tmp_path / name, np.zeros(int(seconds * 8000), np.int16), 8000)
        return tmp_path / name

    for seconds in (2.9, 30.1):
        with pytest.raises(DataError, match=rf"x\.wav: has {seconds} s, expected 3 to 30 s"):
            cloner().clone(wave("x.wav", seconds), WANTED)
    with pytest.raises(AudioError, match=r"s\.wav: nobody speaks in it"):
        cloner().clone(wave("s.wav", 4), WANTED)
    with pytest.raises(AudioError, match="no such file"):
        cloner().clone(tmp_path / "none.wav", WANTED)
    with pytest.raises(DataError, match=r"has 3\.8 s, this model imitates at most 3\.0 s"):
        cloner(positions=96 + 300).clone(CLIP, WANTED)
    with pytest.raises(LanguageError, match="does not speak 'fra'"):
        cloner().clone(CLIP, replace(WANTED, language="fra"))


def test_requests_are_checked_before_anything_is_heard():
    with pytest.raises(ModelError, match=r"its name is '\.\./zoe'"):
        replace(WANTED, name="../zoe")
    with pytest.raises(ConfigError, match="there is no consent"):
        replace(WANTED, consent=" \n")
    with pytest.raises(LanguageError):
        replace(WANTED, language="xx")
    with pytest.raises(DataError, match="2001 characters, expected at most 2000"):
        replace(WANTED, text="a" * 2001)
