"""What Fish-Speech reads before it speaks."""

import pytest
import torch

from speech.errors import ConfigError
from speech.models.fish_prompt import CONTEXT, FishTurn, fish_prompt
from speech.text.fish_text import FishVersion
from speech.text.tokenizers.fish import fish_tokenizer
from tests.published_fish_lm import settings_of, tokenizer_bytes

NEW, OLD = FishVersion.one_five, FishVersion.one_four


def tokenizer_of(version):
    return fish_tokenizer(version, tokenizer_bytes(version), settings_of(version)["vocab_size"], "x")


def turn(text, frames, codebooks=2):
    return FishTurn(text, torch.arange(codebooks * frames).view(codebooks, frames))


def test_a_text_alone_has_no_codes():
    for version in FishVersion:
        tokenizer = tokenizer_of(version)
        prompt = fish_prompt(tokenizer, 2, "hello")
        assert prompt.tokens.tolist() == tokenizer.asked("hello")
        assert prompt.codes.shape == (2, len(prompt.tokens))
        assert not prompt.codes.any()


def test_a_voice_of_1_5_has_a_token_for_each_first_code():
    tokenizer = tokenizer_of(NEW)
    first, end = tokenizer.layout.first_frame, tokenizer.layout.end
    prompt = fish_prompt(tokenizer, 2, "next", voices=[turn("hello", 3)])
    before = [*tokenizer.instruction(), *tokenizer.asked("hello")]
    assert prompt.tokens.tolist() == [*before, first, first + 1, first + 2, end, *tokenizer.asked("next")]
    assert prompt.codes[:, len(before) : len(before) + 4].tolist() == [[0, 1, 2, 0], [3, 4, 5, 0]]
    assert prompt.codes.sum() == 15


def test_a_voice_of_1_4_has_one_token_and_codes_from_1():
    tokenizer = tokenizer_of(OLD)
    frame, end, before = tokenizer.layout.first_frame, tokenizer.layout.end, tokenizer.asked("hello")
    prompt = fish_prompt(tokenizer, 2, "next", voices=[turn("hello", 3)])
    assert prompt.tokens.tolist() == [*before, frame, frame, frame, end, *tokenizer.asked("next")]
    assert prompt.codes[:, len(before) : len(before) + 4].tolist() == [[1, 2, 3, 0], [4, 5, 6, 0]]


def test_of_earlier_turns_the_first_and_the_last_ones_are_read():
    tokenizer = tokenizer_of(NEW)
    earlier = [turn(text, 300) for text in "abcde"]
    size = len(tokenizer.asked("a")) + 301
    assert 3 * size <= CONTEXT < 4 * size
    found = fish_prompt(tokenizer, 2, "next", earlier=earlier)
    wanted = fish_prompt(tokenizer, 2, "next", earlier=[earlier[0], earlier[3], earlier[4]])
    assert torch.equal(found.tokens, wanted.tokens)
    assert len(found.tokens) == 3 * size + len(tokenizer.asked("next"))
    long = [turn("a", 2000), turn("b", 2)]
    alone = fish_prompt(tokenizer, 2, "next", earlier=long)
    assert len(alone.tokens) == len(fish_prompt(tokenizer, 2, "next", earlier=long[:1]).tokens)
    assert tokenizer.instruction()[0] == alone.tokens[0]  # a start, but of the user's turn:
    assert alone.tokens.tolist()[: len(tokenizer.asked("a"))] == tokenizer.asked("a")


def test_codes_of_another_codec_are_refused():
    with pytest.raises(ConfigError, match="a voice of 2 codebooks; the model has 3"):
        fish_prompt(tokenizer_of(NEW), 3, "next", voices=[turn("hello", 3)])
