"""The compiled decoder: it says what the other says, pieces are the whole, hypotheses can be reordered and forked."""

import copy
import os
import subprocess
import sys
from functools import cache, partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from speech.errors import ConfigError
from speech.nn.cpu.instructions import instructions
from speech.nn.cpu.int8 import int8_copy, rounded
from speech.nn.cpu.int8_weights import pack, product
from speech.nn.decoder.compiled import CompiledDecoder, compiled_copy
from speech.nn.decoder.label import LabelDecoderConfig
from tests.skips import NO_TILES
from tests.tiny_decoder import random, random_decoder, tokens_below

pytestmark = pytest.mark.skipif(instructions() is None, reason=NO_TILES)
CONFIG = LabelDecoderConfig(vocabulary=71, dim=36, layers=2, heads=3, hidden=70, positions=80)
HEADS = [(1, 1), (0, 2), (1, 0)]
CLOSE = {"atol": 2e-3, "rtol": 2e-3}  # where a sum rounds to the other step of eight bits


PLAIN = random_decoder(CONFIG, 0.2)
tokens_of = partial(tokens_below, CONFIG.vocabulary)


@cache
def compiled() -> CompiledDecoder:
    """Not while tests are collected: its thread compiles, and warnings' filters are those of all threads."""
    return CompiledDecoder(PLAIN)


def error(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


@torch.no_grad()
@given(lengths=st.lists(st.integers(1, 150), min_size=1, max_size=3), hypotheses=st.integers(1, 7))
def test_it_says_what_the_decoder_says(lengths, hypotheses):
    frames, texts = random(len(lengths), max(lengths), CONFIG.dim), tokens_of(len(lengths) * hypotheses, 9)
    rows = torch.arange(len(lengths)).repeat_interleave(hypotheses)
    found, expected = [], []
    for decoder, into in ((compiled(), found), (PLAIN, expected)):
        x, _, seen = decoder.step(texts, decoder.begin(frames, torch.tensor(lengths)).select(rows), HEADS)
        into += [decoder.logits(x), seen]
    assert error(found[0], expected[0]) < 0.03
    assert found[1].shape == expected[1].shape
    assert error(found[1], expected[1]) < 0.03


@torch.no_grad()
@given(pieces=st.lists(st.integers(1, 7), min_size=1, max_size=9), hypotheses=st.integers(1, 6), seed=st.integers(0, 3))
def test_pieces_are_the_whole(pieces, hypotheses, seed):
    texts, frames = tokens_of(hypotheses, sum(pieces), seed), random(1, 70, CONFIG.dim, seed=seed)
    begun = compiled().begin(frames).select(torch.zeros(hypotheses, dtype=torch.long))
    whole, _, attention = compiled().step(texts, begun, HEADS)
    state, found, seen = begun, [], []
    for piece in texts.split(pieces, dim=1):
        x, state, heads = compiled().step(piece, state, HEADS)
        found.append(x)
        seen.append(heads)
    torch.testing.assert_close(torch.cat(found, dim=1), whole, **CLOSE)
    torch.testing.assert_close(torch.cat(seen, dim=2), attention, **CLOSE)
    assert state.length == sum(pieces)


@torch.no_grad()
@given(
    choices=st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=4), min_size=1, max_size=5),
    steps=st.integers(1, 3),
)
def test_hypotheses_can_be_reordered_doubled_and_left(choices, steps):
    """Whatever becomes of them, each goes on as the text that it is, and so does a state from which another went on."""
    frames = random(1, 20, CONFIG.dim)
    texts = tokens_of(4, 1)
    start = compiled().begin(frames).select(torch.zeros(4, dtype=torch.long))
    _, state, _ = compiled().step(texts, start)
    for number, choice in enumerate(choices):
        rows = torch.tensor([n % len(texts) for n in choice])
        state, texts = state.select(rows), texts[rows]
        for _ in range(steps):
            more = tokens_of(len(rows), 1, seed=number)
            kept, before = state, texts
            x, state, _ = compiled().step(more, state)
            texts = torch.cat([texts, more], dim=1)
            other = (more + 1) % CONFIG.vocabulary
            forked, _, _ = compiled().step(other, kept)  # behind the same text
            for found, text in ((x, texts), (forked, torch.cat([before, other], dim=1))):
                whole, _, _ = compiled().step(
                    text, compiled().begin(frames).select(torch.zeros(len(text), dtype=torch.long))
                )
                torch.testing.assert_close(found[:, -1], whole[:, -1], **CLOSE)
            x, state, _ = compiled().step(more, kept)
            torch.testing.assert_close(x[:, -1], compiled().step(texts, compiled().begin(frames).select(
                torch.zeros(len(texts), dtype=torch.long)))[0][:, -1], **CLOSE)  # fmt: skip


@torch.no_grad()
def test_nobody_hears_a_neighbour():
    """To the last bit: neither the others of a beam nor another utterance."""
    frames, lengths, texts = random(2, 90, CONFIG.dim), torch.tensor([90, 31]), tokens_of(6, 8)
    rows = torch.tensor([0, 0, 0, 1, 1, 1])
    together, _, _ = compiled().step(texts, compiled().begin(frames, lengths).select(rows))
    for row, text in enumerate(texts):
        own = frames[row // 3, : lengths[row // 3]][None]
        alone, _, _ = compiled().step(text[None], compiled().begin(own))
        assert torch.equal(alone[0], together[row])


@torch.no_grad()
@given(kept=st.integers(0, 70), more=st.integers(1, 70))
def test_frames_that_are_known_need_not_be_projected_again(kept, more):
    """To the last bit, and the state that has them stays as it was."""
    frames, texts = random(1, kept + more, CONFIG.dim), tokens_of(1, 3)
    before = compiled().begin(torch.cat([frames[:, :kept], random(1, 9, CONFIG.dim, seed=1)], dim=1))
    first, _, _ = compiled().step(texts, before)
    found, _, _ = compiled().step(texts, compiled().begin(frames, before=before, kept=kept))
    assert torch.equal(found, compiled().step(texts, compiled().begin(frames))[0])
    assert torch.equal(first, compiled().step(texts, before)[0])


@torch.no_grad()
def test_it_asks_cross_attention_what_the_decoder_asks():
    frames, lengths, texts = random(2, 40, CONFIG.dim), torch.tensor([40, 13]), tokens_of(6, 5)
    rows = torch.tensor([0, 0, 0, 1, 1, 1])
    found, expected = (
        decoder.asked(texts, decoder.begin(frames, lengths).select(rows)) for decoder in (compiled(), PLAIN)
    )
    assert found.shape == expected.shape == (6, CONFIG.layers, 5, CONFIG.dim)
    assert error(found, expected) < 0.03


@torch.no_grad()
def test_a_model_that_was_compiled_stays_so():
    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.decoder = random_decoder(CONFIG, 0.2)

    model = int8_copy(compiled_copy(Model()))
    assert isinstance(model.decoder, CompiledDecoder)
    assert copy.deepcopy(model).decoder is model.decoder
    assert int8_copy(compiled_copy(model)).decoder is model.decoder


def test_of_stored_weights_it_is_the_same():
    """Eight-bit weights are taken as they lie on disk."""
    quantized = torch.quantize_per_channel(random(70, 36), torch.full((70,), 0.02), torch.zeros(70), 0, torch.qint8)
    np.testing.assert_array_equal(
        pack([quantized], [None]).rows(np.array([3, 69])), quantized.dequantize()[[3, 69]].numpy()
    )


@torch.no_grad()
def test_a_text_that_is_too_long_is_refused():
    with pytest.raises(ConfigError, match="a text of 81 tokens; the decoder has 80 positions"):
        compiled().step(tokens_of(1, 81), compiled().begin(random(1, 3, CONFIG.dim)))


@torch.no_grad()
def test_frames_are_kept_in_the_nearest_bfloat16():
    """Keys transposed, both with a head's numbers together and nothing behind the last frame."""
    frames, size = random(1, 41, CONFIG.dim), CONFIG.dim // CONFIG.heads
    (text,) = compiled().begin(frames, torch.tensor([35])).texts
    for layer, own in enumerate(PLAIN.layers):
        weights = [rounded(linear.weight) for linear in (own.cross.key, own.cross.value)]
        key, value = (product(frames[0, :35], pack([weight], [None]), CONFIG.dim) for weight in weights)
        value += own.cross.value.bias
        expected = key.to(torch.bfloat16).view(35, CONFIG.heads, size).permute(1, 2, 0)
        assert torch.equal(torch.from_numpy(text.frames.keys[layer, :, :, :35]).view(torch.bfloat16), expected)
        expected = value.to(torch.bfloat16).view(35, CONFIG.heads, size).transpose(0, 1)
        assert torch.equal(torch.from_numpy(text.frames.values[layer, :, :35, :size]).view(torch.bfloat16), expected)
    assert not text.frames.keys[..., 35:].any()
    assert not text.frames.values[:, :, 35:].any()


def test_it_makes_no_difference_where_and_for_which_processor_the_code_was_compiled(tmp_path):
    """A process that compiles it, one that reads it from disk, one that compiles a part of it, and one that has AVX2
    alone: the same bits. Of two processors' code in one folder each process finds its own."""
    code = (
        "import torch; torch.set_num_threads(1); from tests.nn.decoder.test_compiled import *;"
        "torch.set_grad_enabled(False);"
        "begun = compiled().begin(random(1, 70, 36)).select(torch.zeros(3, dtype=torch.long));"
        "x, state, _ = compiled().step(tokens_of(3, 9), begun);"
        "y, _, _ = compiled().step(tokens_of(3, 1), state);"
        "print((x.double().sum() + y.double().sum() * 3).item().hex())"
    )
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "OMP_NUM_THREADS": "1"}
    oldest = {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx,+avx2,+bmi,+bmi2,+f16c,+fma,+popcnt,+sse4.2"}
    said, files = [], []
    for more in ({}, {}, {}, oldest):
        environment |= more
        said.append(
            subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True).stdout
        )
        files.append(len(list(tmp_path.rglob("*.nbc"))))
        if len(said) == 2:
            for path in tmp_path.rglob("step_kernels.step-*"):
                path.unlink()
    assert len(set(said)) == 1
    assert files[0] == files[1] == files[2] == files[3] / 2
