"""What a speech language model reads, token by token."""

import pytest
import torch

from speech.errors import ConfigError
from speech.models.speech_prompt import VoicePrompt, speech_prompt, spoken_text, text_tokens
from speech.text.speech_vocabulary import SpeechVocabulary, TextUnit

CODES = torch.tensor([[3, 1, 2], [0, 4, 4]])


def vocabulary(frames: int = 5) -> SpeechVocabulary:
    """text 0, speech 1, end 2, eng 3, a 4, b 5, frames from 6 on."""
    return SpeechVocabulary.of(TextUnit.symbols, ["eng"], ["ab"], frames)


def test_a_text_waits_for_its_frames():
    found = text_tokens(vocabulary(), "ab", "eng", 2)
    assert found.tokens.tolist() == [0, 3, 4, 5, 1]
    assert found.codes.tolist() == [[0] * 5] * 2


def test_frames_are_tokens_of_the_first_codebook():
    found = spoken_text(vocabulary(), "b", "eng", CODES)
    assert found.tokens.tolist() == [0, 3, 5, 1, 9, 7, 8, 2]
    assert found.codes.tolist() == [[0] * 4 + [3, 1, 2, 0], [0] * 4 + [0, 4, 4, 0]]


def test_or_one_token_stands_for_all_frames():
    assert spoken_text(vocabulary(1), "b", "eng", CODES).tokens.tolist() == [0, 3, 5, 1, 6, 6, 6, 2]


def test_a_voice_comes_before_the_text():
    speaker = torch.ones(4)
    voice = VoicePrompt("b", "eng", CODES)
    found = speech_prompt(vocabulary(), "ab", "eng", 2, voice=voice, speaker=speaker)
    assert found.tokens.tolist() == [0, 3, 5, 1, 9, 7, 8, 2, 0, 3, 4, 5, 1]
    assert found.codes.shape == (2, 13)
    assert found.codes[:, 4:7].tolist() == CODES.tolist()
    assert not found.codes[:, 8:].any()
    assert found.speaker is speaker
    assert speech_prompt(vocabulary(), "ab", "eng", 2).tokens.tolist() == [0, 3, 4, 5, 1]


def test_a_voice_of_another_codec_is_refused():
    with pytest.raises(ConfigError, match="a voice of 2 codebooks; the model has 3"):
        speech_prompt(vocabulary(), "ab", "eng", 3, voice=VoicePrompt("b", "eng", CODES))
