"""Each layer alone: pieces equal the whole; masks, positions, losses, conditioning."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from speech.chunking import ChunkSpec
from speech.errors import ConfigError
from speech.nn.attention import MultiHeadAttention
from speech.nn.cpu.int8 import int8_copy
from speech.nn.cpu.packed import packed_copy
from speech.nn.ctc import CTCHead, ExtendedHead, SelfConditioning, SparseConditioning
from speech.nn.encoder.convolution import ConvolutionalGating, DepthwiseConvolution
from speech.nn.encoder.masks import SequenceLayout, padding_mask, reduced
from speech.nn.encoder.positions import SinusoidalPositions
from speech.nn.encoder.subsampling import Conv2dSubsampling8, PairReduction, StridedConvolution, WhisperConvolutions
from speech.nn.feed_forward import FeedForward
from speech.nn.losses import ctc_loss, multi_ctc_loss
from speech.nn.prompt import PromptConfig, PromptEncoder
from speech.nn.streaming import StreamTensors, merge, select

CPU = torch.device("cpu")
shapes = {
    "chunks": st.integers(1, 6),
    "size": st.integers(1, 6),
    "prefix": st.integers(0, 3),
    "seed": st.integers(0, 99),
}


@settings(max_examples=40, deadline=None)
@given(left=st.integers(0, 9), **shapes)
@torch.no_grad()
def test_attention_steps_equal_masked_attention(chunks, size, prefix, seed, left):
    torch.manual_seed(seed)
    attention = MultiHeadAttention(8, 2).eval()
    x = torch.randn(2, prefix + chunks * size, 8)
    layout = SequenceLayout.build(prefix, chunks * size, ChunkSpec(size=size, left_context=left), CPU)
    whole = attention(x, layout.attention_mask(torch.tensor([chunks * size] * 2)))
    cache = attention.begin(x[:, :prefix], left)
    for number in range(chunks):
        start = prefix + number * size
        y, cache = attention.step(x[:, start : start + size], cache, torch.ones(2, size, dtype=torch.bool), size)
        torch.testing.assert_close(y, whole[:, start : start + size], atol=1e-5, rtol=1e-5)
        assert [row.shape[1] for row in cache.keys] == 2 * [min(left, (number + 1) * size)]


@pytest.mark.parametrize("make", [lambda: DepthwiseConvolution(8, 5), lambda: ConvolutionalGating(8, 16, 7, 1e-5)])
@settings(max_examples=40, deadline=None)
@given(**shapes)
@torch.no_grad()
def test_convolution_steps_equal_chunked_convolution(make, chunks, size, prefix, seed):
    torch.manual_seed(seed)
    layer = make().eval()
    x = torch.randn(2, prefix + chunks * size, 8)
    layout = SequenceLayout.build(prefix, chunks * size, ChunkSpec(size=size, left_context=4), CPU)
    whole = layer(x, layout, layout.valid(torch.tensor([chunks * size] * 2)))
    first, cache = layer.begin(x[:, :prefix])
    torch.testing.assert_close(first, whole[:, :prefix], atol=1e-5, rtol=1e-5)
    valid = torch.ones(2, size, dtype=torch.bool)
    for number in range(chunks):
        start = prefix + number * size
        y, cache = layer.step(x[:, start : start + size], cache, valid, size)
        torch.testing.assert_close(y, whole[:, start : start + size], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("make", [lambda: WhisperConvolutions(6, 8), lambda: Conv2dSubsampling8(20, 8)])
@settings(max_examples=30, deadline=None)
@given(frames=st.integers(15, 100), extra=st.integers(1, 60))
@torch.no_grad()
def test_subsampling_of_a_padded_row_equals_the_row_alone(make, frames, extra):
    layer = make().eval()
    bins = 6 if isinstance(layer, WhisperConvolutions) else 20
    features = torch.randn(2, frames + extra, bins)
    y, lengths = layer(features, torch.tensor([frames, frames + extra]))
    alone, alone_lengths = layer(features[:1, :frames], torch.tensor([frames]))
    count = int(alone_lengths[0])
    assert lengths[0] == count
    assert alone.shape[1] == max(count, 1)
    torch.testing.assert_close(y[0, :count], alone[0, :count], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_whisper_convolutions_equal_padded_convolutions_of_torch():
    layer = WhisperConvolutions(6, 8)
    features = torch.randn(2, 37, 6)
    x = F.gelu(F.conv1d(features.transpose(1, 2), layer.conv1.weight, layer.conv1.bias, padding=1))
    x = F.gelu(F.conv1d(x, layer.conv2.weight, layer.conv2.bias, stride=2, padding=1)).transpose(1, 2)
    torch.testing.assert_close(layer(features, torch.tensor([37, 37]))[0], x, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("dim", [8, 512, 600])
@torch.no_grad()
def test_whisper_convolutions_do_not_depend_on_threads_and_are_those_of_training(dim):
    torch.manual_seed(0)
    layer, threads = WhisperConvolutions(80, dim), torch.get_num_threads()
    for frames in (41, 120, 250, 379, 380):
        features, lengths, found = torch.randn(1, frames, 80), torch.tensor([frames]), []
        try:
            for count in (1, 2):
                torch.set_num_threads(count)
                found.append(layer(features, lengths)[0])
        finally:
            torch.set_num_threads(threads)
        assert torch.equal(*found)
        with torch.enable_grad():
            trained = layer(features, lengths)[0].detach()
        torch.testing.assert_close(found[0], trained, atol=1e-5, rtol=1e-5)


def test_published_subsampling_makes_374_frames_of_30_seconds():
    assert Conv2dSubsampling8(80, 4).output_lengths(torch.tensor([3001])).tolist() == [374]


def test_pair_reduction_starts_as_the_mean():
    x = torch.randn(2, 6, 4)
    torch.testing.assert_close(PairReduction(4)(x), x.unflatten(1, (3, 2)).mean(dim=2))


def test_layout_shows_a_frame_its_chunk_its_past_and_the_prefix():
    layout = SequenceLayout.build(1, 6, ChunkSpec(size=2, left_context=1), CPU)
    mask = layout.attention_mask(torch.tensor([6]))
    assert mask is not None
    seen = [[int(k) for k in torch.nonzero(row).flatten()] for row in mask[0, 0]]
    assert seen == [[0], [0, 1, 2], [0, 1, 2], [0, 2, 3, 4], [0, 2, 3, 4], [0, 4, 5, 6], [0, 4, 5, 6]]


def test_full_context_without_padding_needs_no_mask():
    assert SequenceLayout.build(2, 5, None, CPU).attention_mask(torch.tensor([5, 5])) is None


def test_reduced_chunks_are_exact():
    assert reduced(ChunkSpec(size=8, left_context=4), 2) == ChunkSpec(size=4, left_context=2)
    with pytest.raises(ConfigError):
        reduced(ChunkSpec(size=3, left_context=4), 2)


def test_padding_mask_counts_frames():
    assert padding_mask(torch.tensor([0, 2]), 3).tolist() == [[False] * 3, [True, True, False]]


def test_ring_positions_repeat_and_stay_near_the_published_ones():
    ring = SinusoidalPositions(64, period=6000, interleaved=False)
    published = SinusoidalPositions(64, period=None, interleaved=False)
    index = torch.arange(200)
    assert torch.equal(ring(index), ring(index + 6000 * 5))
    assert (ring(index) - published(index)).abs().max() < math.pi / 6000 * 200 + 1e-6
    steps = (ring(torch.arange(6001)).diff(dim=0)).norm(dim=-1)
    assert steps.max() / steps.min() < 1.001  # smooth across the seam: every step is as long


def test_published_positions_alternate_sine_and_cosine():
    y = SinusoidalPositions(4, period=None, interleaved=True)(torch.tensor([1]))
    expected = [math.sin(1), math.cos(1), math.sin(0.01), math.cos(0.01)]
    torch.testing.assert_close(y[0], torch.tensor(expected))


def test_ctc_loss_equals_the_sum_over_alignments():
    log_probs = torch.randn(1, 3, 3).log_softmax(-1)
    p = log_probs[0].exp()
    ways = [(1, 1, 1), (0, 1, 1), (1, 1, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0)]
    expected = -math.log(sum(float(p[0, a] * p[1, b] * p[2, c]) for a, b, c in ways))
    loss = ctc_loss(log_probs, torch.tensor([3]), torch.tensor([[1]]), torch.tensor([1]))
    assert float(loss[0]) == pytest.approx(expected, rel=1e-5)


def test_an_impossible_target_counts_zero():
    log_probs = torch.randn(1, 2, 3).log_softmax(-1)
    assert ctc_loss(log_probs, torch.tensor([2]), torch.tensor([[1, 1, 2]]), torch.tensor([3])).tolist() == [0.0]


def test_losses_are_weighted_as_published():
    final, inter = torch.tensor(2.0), [torch.tensor(4.0), torch.tensor(6.0)]
    assert float(multi_ctc_loss(final, inter, 0.8)) == pytest.approx(0.2 * 2 + 0.8 * 5)
    assert float(multi_ctc_loss(final, [], 0.8)) == 2.0


def test_the_head_normalises_in_float32_and_conditioning_adds_the_projection():
    head, conditioning = CTCHead(8, 5).bfloat16(), SelfConditioning(5, 8)
    log_probs = head(torch.randn(1, 3, 8).bfloat16())
    assert log_probs.dtype == torch.float32
    torch.testing.assert_close(log_probs.exp().sum(-1), torch.ones(1, 3))
    x = torch.zeros(1, 3, 8)
    torch.testing.assert_close(conditioning(x, log_probs), conditioning.linear(log_probs.exp()))


def test_feed_forward_keeps_the_shape():
    assert FeedForward(4, 8, F.silu)(torch.randn(2, 3, 4)).shape == (2, 3, 4)


@pytest.mark.parametrize("shape", [(1, 9, 20, 1), (3, 33, 7, 4), (1, 300, 70, 2)])
def test_patches_and_convolution_are_the_same(shape):
    layer = StridedConvolution(shape[-1], 6)
    x = torch.randn(shape)
    convolved = layer(x)
    with torch.inference_mode():
        patched = layer(x)
    assert convolved.requires_grad
    torch.testing.assert_close(patched, convolved.detach(), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_what_is_fed_back_is_the_same_in_tiles_and_nearly_of_few_tokens(monkeypatch):
    head, conditioning = CTCHead(8, 50), SelfConditioning(50, 8)
    head.linear.weight *= 20  # peaked, as a trained head
    x = torch.randn(2, 30, 8)
    whole = conditioning(x, head(x))
    monkeypatch.setattr("speech.nn.ctc._TILE", 7 * 50)
    torch.testing.assert_close(conditioning.from_head(x, x, head), whole)
    few = SparseConditioning(conditioning, 10).from_head(x, x, head)
    torch.testing.assert_close(few, whole, atol=0.02, rtol=0.02)
    torch.testing.assert_close(SparseConditioning(conditioning, 10)(x, head(x)), few)


@torch.no_grad()
def test_attention_to_a_single_place_is_what_stands_there():
    attention, norm = MultiHeadAttention(8, 2), torch.nn.LayerNorm(8)
    x, single, longer = torch.randn(2, 5, 8), torch.randn(1, 8), torch.randn(4, 8)
    alone = attention.across(norm, x, StreamTensors([single, single])).expand(2, 5, 8)
    mixed = attention.across(norm, x, StreamTensors([single, longer]))
    torch.testing.assert_close(mixed[0], alone[0])
    keys, values = attention.project(longer[None])
    torch.testing.assert_close(mixed[1:], attention.attend(norm(x[1:]), keys, values, None))


@torch.no_grad()
def test_a_prompt_does_not_see_its_padding():
    encoder = PromptEncoder(PromptConfig(dim=8, layers=2, heads=2, hidden=16), 12).eval()
    x = torch.randn(2, 5, 8)
    y = encoder(x, torch.tensor([3, 5]))
    torch.testing.assert_close(y[0], encoder(x[:1, :3], torch.tensor([3]))[0])
    assert [row.shape for row in y] == [(3, 12), (5, 12)]


def test_states_are_picked_and_joined_by_slot():
    state = (torch.arange(3), (torch.arange(6).view(3, 2),), StreamTensors(torch.ones(n) for n in range(3)), 7)
    picked = select(state, [2, 0])
    assert picked[0].tolist() == [2, 0]
    assert torch.equal(merge([picked, state])[1][0], torch.tensor([[4, 5], [0, 1], [0, 1], [2, 3], [4, 5]]))
    assert [len(row) for row in merge([picked, state])[2]] == [2, 0, 0, 1, 2]
    assert merge([picked, state])[3] == 7
    assert select(merge([StreamTensors(), StreamTensors()]), [1]) == StreamTensors()


@pytest.mark.parametrize("copy", [lambda m: m, int8_copy, packed_copy, lambda m: m.bfloat16()])
def test_rows_added_to_a_head_share_one_softmax_with_it_in_whatever_numbers_it_is(copy):
    model = copy(nn.ModuleDict({"ctc": CTCHead(8, 50)}).requires_grad_(False))
    base, rows, bias = model["ctc"], torch.randn(3, 8), torch.randn(3)
    head, x = ExtendedHead(base, rows, bias), torch.randn(2, 9, 8).to(getattr(base.linear, "weight", rows).dtype)
    logits = torch.cat([base.linear(x).float(), x.float() @ rows.t() + bias], dim=-1)
    assert head.vocabulary == 53
    assert head(x).dtype == torch.float32
    torch.testing.assert_close(head(x), torch.log_softmax(logits, dim=-1), atol=1e-5, rtol=1e-5)
    assert torch.equal(torch.cat(list(head.tiles(x)))[:, :50], torch.cat(list(base.tiles(x))).float())
    ids, scores = head.best(x, torch.tensor([0, 51]))
    expected = head(x).index_fill(-1, torch.tensor([0, 51]), -torch.inf).max(dim=-1)
    assert torch.equal(ids, expected.indices)
    torch.testing.assert_close(scores, expected.values)


def test_rows_added_to_a_head_can_be_trained():
    base, rows = CTCHead(8, 5).requires_grad_(False), nn.Parameter(torch.zeros(2, 8))
    bias = nn.Parameter(torch.zeros(2))
    ExtendedHead(base, rows, bias)(torch.randn(1, 3, 8))[..., 5].sum().backward()
    assert rows.grad.any()
    assert bias.grad.any()
    assert base.linear.weight.grad is None
