"""Fish-Speech says texts: the same seed the same samples, in pieces and whole, turn by turn."""

import logging

import numpy as np
import pytest
import torch

from speech.decode.sampling.sampler import SamplingConfig
from speech.errors import AudioError, TextError
from speech.models.fish_prompt import fish_prompt
from speech.models.importers.fish import import_fish
from speech.text.fish_text import FishVersion
from speech.tts import fish_speaker
from speech.tts.fish_speaker import FishSpeaker
from tests.published_fish import CODEC
from tests.published_fish_lm import write_fish

FRAME, FRAMES = 64, 20
"""Samples per frame, and frames of a turn."""


@pytest.fixture(scope="module", params=list(FishVersion))
def checkpoint(request, tmp_path_factory):
    found = import_fish(write_fish(tmp_path_factory.mktemp("fish") / "model", request.param), CODEC)
    found.info["licence"] = "none"
    model, layout = found.model, found.tokenizer.layout
    model.config.max_frames = FRAMES
    with torch.no_grad():  # frames become likelier than texts and the end, as they are for a trained model
        model.embed.tokens.weight[:, 0] = 6
        model.output.weight[:, 0] = -3
        model.output.weight[layout.first_frame : layout.first_frame + layout.frames, 0] = 3
    return found


def recording(count=2000):
    return np.random.default_rng(0).standard_normal(count).astype(np.float32) * 0.3


def test_a_seed_says_the_same_and_another_something_else(checkpoint):
    speaker = FishSpeaker(checkpoint)
    first, again, other = (speaker.say("hello", seed=seed) for seed in (1, 1, 2))
    assert first.dtype == np.float32
    assert len(first) == FRAMES * FRAME
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert (speaker.sample_rate, speaker.licence) == (8000, "none")


def test_pieces_grow_and_are_what_the_codec_makes_of_the_whole(checkpoint, monkeypatch):
    speaker, seen = FishSpeaker(checkpoint), []
    decode = checkpoint.codec.decode_step
    monkeypatch.setattr(
        checkpoint.codec, "decode_step", lambda codes, state: (seen.append(codes), decode(codes, state))[1]
    )
    pieces = list(speaker.stream("hello", sampling=SamplingConfig(seed=1)))
    assert [len(piece) // FRAME for piece in pieces] == [4, 8, 8]
    codes = torch.cat(seen, dim=2)
    monkeypatch.undo()
    whole, _ = checkpoint.codec.decode(codes, torch.tensor([codes.shape[2]]))
    np.testing.assert_allclose(np.concatenate(pieces), whole[0].numpy(), atol=1e-5)
    assert codes.max() < 1000
    assert codes.min() >= 0
    assert len(codes.unique()) > FRAMES


def test_a_voice_and_earlier_turns_are_read(checkpoint, monkeypatch):
    prompts = []

    def keeping(*args, **options):
        prompts.append(fish_prompt(*args, **options))
        return prompts[-1]

    monkeypatch.setattr(fish_speaker, "fish_prompt", keeping)
    monkeypatch.setattr(fish_speaker, "turns", lambda text, version: text.split("|"))
    speaker, tokenizer = FishSpeaker(checkpoint), checkpoint.tokenizer
    voice = speaker.voice(recording(), "hello")
    assert voice.codes.shape == (3, 32)
    plain, imitated = speaker.say("one|two", seed=3), speaker.say("one|two", voice=voice, seed=3)
    assert not np.array_equal(plain, imitated)
    alone, second, with_voice, _ = prompts
    assert alone.tokens.tolist() == tokenizer.asked("one")
    assert second.tokens[: len(alone.tokens)].tolist() == alone.tokens.tolist()
    assert second.tokens[-len(tokenizer.asked("two")) :].tolist() == tokenizer.asked("two")
    assert len(second.tokens) == len(tokenizer.asked("one")) + FRAMES + 1 + len(tokenizer.asked("two"))
    assert with_voice.tokens.tolist()[-len(alone.tokens) :] == alone.tokens.tolist()
    assert len(with_voice.tokens) > 32 + len(alone.tokens)


def test_what_cannot_be_said_is_refused_before_anything_is(checkpoint):
    speaker = FishSpeaker(checkpoint)
    for text in ("", " ... ", "😀"):
        with pytest.raises(TextError, match="nothing in the text can be spoken"):
            speaker.stream(text)
    with pytest.raises(TextError, match="which is a mark of the model"):
        speaker.stream("One. " * 60 + "<|im_start|>")
    with pytest.raises(AudioError, match="24 samples, expected more than 24"):
        speaker.voice(recording(24), "hello")
    with pytest.raises(TextError, match="the text of the voice is empty"):
        speaker.voice(recording(), " ")


def test_a_turn_ends_where_the_model_ends_it(checkpoint, monkeypatch, caplog):
    step, calls = checkpoint.model.step, []

    def ending(state, choose):
        calls.append(len(calls) == 6)
        codes, _, state = step(state, choose)
        return codes, torch.tensor([calls[-1]]), state

    monkeypatch.setattr(checkpoint.model, "step", ending)
    with caplog.at_level(logging.WARNING):
        assert len(FishSpeaker(checkpoint).say("hello")) == 6 * FRAME
    assert not caplog.text


def test_a_turn_without_end_is_cut_and_said_so(checkpoint, caplog):
    with caplog.at_level(logging.WARNING):
        assert len(FishSpeaker(checkpoint).say("hello")) == FRAMES * FRAME
    assert f"did not end within {FRAMES} frames" in caplog.text
