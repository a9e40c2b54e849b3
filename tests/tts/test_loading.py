"""Voice models from their folders: each kind speaks, and what does not is named."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch

from speech.errors import ConfigError, ModelError
from speech.models.speech_lm_checkpoint import CODEC_FOLDER, PRONUNCIATION_FOLDER
from speech.speaker import Speaker
from speech.tts.loading import load_voice_model
from speech.tts.pronunciation.letters import LetterPronouncer
from speech.tts.pronunciation.lexicon import LEXICON, write_lexicon
from speech.tts.speech_stream import SpeakingOptions
from speech.tts.text_front_end.normalise import normalise
from speech.tts.voice_file import VoiceFile, save_voice
from tests.tiny_voice import save_tiny_voice


@pytest.fixture(scope="module")
def voice(tmp_path_factory):
    return save_tiny_voice(tmp_path_factory.mktemp("voice") / "v")


def test_a_voice_with_its_pronunciations_needs_no_program(voice, monkeypatch):
    monkeypatch.setenv("PATH", "")
    synthesizer, pronouncer = load_voice_model(str(voice))
    assert isinstance(pronouncer, LetterPronouncer)
    assert synthesizer.voices == ("ann", "ben")
    speaker = Speaker.from_pretrained(str(voice))
    options = SpeakingOptions(language="eng", seed=2)
    said = speaker.say("A bad cab. Dead bee, added.", options)
    assert [word.text for word in said.words] == ["A", "bad", "cab", "Dead", "bee", "added"]
    pieces = list(speaker.stream(["A b", "ad cab. Dea", "d bee, ad", "ded."], options))
    assert np.array_equal(np.concatenate([piece.samples for piece in pieces]), said.samples)
    assert tuple(word for piece in pieces for word in piece.words) == said.words


def test_a_lexicon_beside_the_pronunciations_is_used(voice, tmp_path):
    shutil.copytree(voice, tmp_path / "v")
    spoken = normalise("bad", "eng")
    _, without = load_voice_model(str(tmp_path / "v"))
    write_lexicon(tmp_path / "v" / PRONUNCIATION_FOLDER / LEXICON, {"bad": "sabad"})
    _, pronouncer = load_voice_model(str(tmp_path / "v"))
    assert pronouncer(spoken, "eng").symbols == "sabad" != without(spoken, "eng").symbols


def test_voices_beside_the_model_are_its_own(voice, tmp_path):
    shutil.copytree(voice, tmp_path / "v")
    eve = VoiceFile(
        name="eve", language="deu", kind="aligned_ar", model="0" * 64, cloned=True, card="Eve agrees.",
        tensors={"speaker": torch.tensor([1.0, 2.0, 3.0])}, created="2026-11-30",
    )  # fmt: skip
    save_voice(tmp_path / "v" / "voices" / "eve.safetensors", eve)
    synthesizer, _ = load_voice_model(str(tmp_path / "v"))
    assert (synthesizer.voices, synthesizer.cloned) == (("ann", "ben", "eve"), {"eve"})
    with pytest.raises(ModelError, match="voice eve: is a voice for another model"):
        load_voice_model(str(voice), voices=[eve])


def test_without_them_the_program_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ConfigError, match="the program espeak-ng"):
        load_voice_model(str(save_tiny_voice(tmp_path / "v", pronunciation=False)))


def test_what_does_not_speak_is_named(voice, checkpoint, tmp_path):
    with pytest.raises(ModelError, match="'owsm_ctc' has no voice"):
        load_voice_model(str(checkpoint))
    with pytest.raises(ModelError, match="'pronunciation' has no voice"):
        load_voice_model(str(voice / PRONUNCIATION_FOLDER))
    shutil.copytree(voice, tmp_path / "v")
    shutil.rmtree(tmp_path / "v" / CODEC_FOLDER)
    with pytest.raises(ModelError, match="its codes cannot be heard"):
        load_voice_model(str(tmp_path / "v"))
