"""Voices of a Kokoro from recordings: what they hold, how they are said, and recordings that give none."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from speech.errors import AudioError, ConfigError, TextError
from speech.nn.kokoro.norm_statistics import statistics_size
from speech.tts.cloning import CloneRequest
from speech.tts.kokoro_cloning import KokoroCloner
from speech.tts.kokoro_synthesizer import KokoroSynthesizer
from speech.tts.pronunciation.letters import LetterPronouncer
from tests.pronounced import tiny_letter_phonemes
from tests.stand_in_packages import install_resemblyzer
from tests.tts.hearing import Hearing
from tests.tts.kokoro_voices import kokoro_checkpoint

CLIP = Path(str(files("speech") / "assets" / "clips" / "ast_en_priv-callpending.ogg"))
WANTED = CloneRequest(name="zoe", language="en", consent="Zoe agrees.\n", text="A bad bed. Dead bee!")


@pytest.fixture
def cloner(tmp_path, monkeypatch):
    install_resemblyzer(monkeypatch, tmp_path)
    monkeypatch.setattr("speech.tts.style_fitting.PROSODY_STEPS", 3)
    monkeypatch.setattr("speech.tts.style_fitting.TIMBRE_STEPS", 2)

    def made(told=lambda done, steps: None, heard=""):
        synthesizer = KokoroSynthesizer(kokoro_checkpoint())
        return KokoroCloner(synthesizer, LetterPronouncer(tiny_letter_phonemes()), "0" * 64, Hearing(heard), told)

    return made


def test_a_voice_moves_all_styles_of_the_nearest_one_alike_and_streams(cloner):
    told: list[tuple[int, int]] = []
    made = cloner(lambda done, steps: told.append((done, steps))).clone(CLIP, WANTED)
    assert told == [(n, 5) for n in range(1, 6)]
    assert (made.name, made.language, made.kind, made.cloned) == ("zoe", "eng", "kokoro", True)
    assert made.card.endswith("## Consent\n\nZoe agrees.\n")
    checkpoint = kokoro_checkpoint()
    moves = [made.tensors["styles"] - voice.styles for voice in checkpoint.voices.values()]
    alike = [torch.allclose(move, move[:1].expand_as(move), atol=1e-6) for move in moves]
    assert sum(alike) == 1
    assert moves[alike.index(True)].abs().max() > 0
    assert made.tensors["norms"].shape == (4, statistics_size(checkpoint.model.decoder))
    synthesizer = KokoroSynthesizer(checkpoint, [made])
    said = list(synthesizer.say("a bad bed, dead bee, a bad bed", "zoe", language="eng", rate=1.0, seed=0))
    assert len(said) > 1  # windows
    again = cloner().clone(CLIP, WANTED)
    assert all(torch.equal(again.tensors[name], tensor) for name, tensor in made.tensors.items())


def test_the_recogniser_writes_what_is_said(cloner):
    heard = cloner(heard=WANTED.text).clone(CLIP, CloneRequest(name="zoe", language="en", consent="Yes."))
    given = cloner().clone(CLIP, WANTED)
    assert torch.equal(heard.tensors["styles"], given.tensors["styles"])
    with pytest.raises(TextError, match="nothing in the text of the recording can be said"):
        cloner(heard=" ").clone(CLIP, CloneRequest(name="zoe", language="en", consent="Yes."))


def test_silence_is_nobody(cloner, tmp_path):
    soundfile.write(tmp_path / "silence.wav", np.zeros(64000, np.float32), 16000)
    with pytest.raises(AudioError, match=r"silence\.wav: nobody speaks in it"):
        cloner().clone(tmp_path / "silence.wav", WANTED)


def test_without_the_package_of_the_encoder_nothing_is_made(monkeypatch):
    monkeypatch.setattr("speech.metrics.speech_quality.voice.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="needs the package resemblyzer"):
        KokoroCloner(KokoroSynthesizer(kokoro_checkpoint()), None, "0" * 64, Hearing())
