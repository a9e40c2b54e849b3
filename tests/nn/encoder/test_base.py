"""Concatenated `step` outputs equal `forward` with the same chunks: every layer, both encoders, any split."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from speech.chunking import ChunkSpec
from speech.errors import ConfigError
from speech.nn.encoder.base import Encoder, EncoderState
from speech.nn.encoder.e_branchformer import EBranchformerConfig
from speech.nn.encoder.whisper import WhisperEncoderConfig
from speech.nn.streaming import StreamTensors, merge, select

CONFIGS = {
    "whisper": WhisperEncoderConfig(bins=12, dim=16, layers=3, heads=4, hidden=32, period=64),
    "whisper-reduced": WhisperEncoderConfig(bins=12, dim=16, layers=3, heads=4, hidden=32, period=64, reduce_after=2),
    "whisper-late-prefix": WhisperEncoderConfig(
        bins=12, dim=16, layers=3, heads=4, hidden=32, period=64, prefix_after=2
    ),
    "whisper-late-prefix-reduced": WhisperEncoderConfig(
        bins=12, dim=16, layers=3, heads=4, hidden=32, period=64, prefix_after=1, reduce_after=2
    ),
    "e-branchformer": EBranchformerConfig(
        bins=20, dim=16, layers=3, heads=4, hidden=32, kernel=5, cross_attention_every=2
    ),
    "e-branchformer-ring": EBranchformerConfig(
        bins=20, dim=16, layers=2, heads=4, hidden=32, kernel=7, cross_attention_every=0, period=128
    ),
}


@pytest.fixture(scope="module")
def encoders() -> dict[str, Encoder]:
    torch.manual_seed(0)
    return {name: config.build().eval() for name, config in CONFIGS.items()}


def run_live(
    encoder: Encoder, features: torch.Tensor, chunk: ChunkSpec, pieces: list[int], **given: torch.Tensor
) -> torch.Tensor:
    memory = {"memory": given["memory"]} if "memory" in given else {}
    state = encoder.init_state(len(features), chunk, **given)
    outputs, start = [], 0
    while start < features.shape[1]:
        size = pieces[len(outputs) % len(pieces)]
        y, state = encoder.step(features[:, start : start + size], state, chunk, **memory)
        outputs.append(y)
        start += size
    outputs.append(encoder.finish(state, chunk, **memory))
    return torch.cat(outputs, dim=1)


@pytest.mark.parametrize("name", CONFIGS)
@settings(max_examples=40, deadline=None)
@given(
    frames=st.integers(1, 140),
    size=st.sampled_from([2, 4, 6, 16]),
    left=st.sampled_from([0, 2, 8, 64]),
    right=st.sampled_from([0, 2, 6]),
    prefix=st.sampled_from([0, 2]),
    pieces=st.lists(st.integers(1, 50), min_size=1, max_size=5),
    seed=st.integers(0, 1000),
)
@torch.no_grad()
def test_steps_equal_forward_for_any_split(encoders, name, frames, size, left, right, prefix, pieces, seed):
    encoder = encoders[name]
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(2, frames, encoder.config.bins, generator=generator)
    chunk = ChunkSpec(size=size, left_context=left, right_context=right)
    given_frames = {
        "prefix": torch.randn(2, prefix, 16, generator=generator),
        "memory": StreamTensors(
            [torch.randn(3, 16, generator=generator), torch.randn(size % 2 + 1, 16, generator=generator)]
        ),
    }
    whole = encoder(features, torch.tensor([frames, frames]), chunk, **given_frames)
    live = run_live(encoder, features, chunk, pieces, **given_frames)
    assert live.shape[1] == int(whole.lengths[0])
    torch.testing.assert_close(live, whole.x[:, : live.shape[1]], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", CONFIGS)
@torch.no_grad()
def test_frames_may_wait_halfway(encoders, name):
    encoder = encoders[name]
    features, lengths = torch.randn(2, 60, encoder.config.bins), torch.tensor([60, 41])
    given_frames = {"prefix": torch.randn(2, 2, 16), "memory": StreamTensors([torch.randn(3, 16)] * 2)}
    seen: list[int] = []

    def tap(layer: int, x: torch.Tensor) -> torch.Tensor:
        seen.append(layer)
        return x * 1.01

    whole = encoder(features, lengths, tap=tap, **given_frames)
    for layer in range(1, encoder.reduce_after or len(encoder.layers)):
        seen.clear()
        half = encoder.until(layer, features, lengths, tap=tap, **given_frames)
        assert seen == list(range(1, layer + 1))
        resumed = encoder.onward(half, tap=tap, memory=given_frames["memory"])
        assert seen == list(range(1, len(encoder.layers) + 1))
        assert torch.equal(resumed.x, whole.x)
        assert torch.equal(resumed.prefix, whole.prefix)
        assert torch.equal(resumed.lengths, whole.lengths)
    if encoder.reduce_after:
        with pytest.raises(ConfigError, match="reduced after"):
            encoder.until(encoder.reduce_after, features, lengths, **given_frames)


@pytest.mark.parametrize("name", CONFIGS)
@settings(max_examples=25, deadline=None)
@given(
    short=st.integers(15, 90),
    extra=st.integers(1, 90),
    chunked=st.booleans(),
    right=st.sampled_from([0, 2]),
    seed=st.integers(0, 1000),
)
@torch.no_grad()
def test_batch_mates_and_padding_never_leak(encoders, name, short, extra, chunked, right, seed):
    encoder = encoders[name]
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(2, short + extra, encoder.config.bins, generator=generator)
    chunk = ChunkSpec(size=4, left_context=8, right_context=right) if chunked else None
    together = encoder(features, torch.tensor([short, short + extra]), chunk)
    alone = encoder(features[:1, :short], torch.tensor([short]), chunk)
    count = int(alone.lengths[0])
    assert int(together.lengths[0]) == count
    torch.testing.assert_close(together.x[0, :count], alone.x[0, :count], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", CONFIGS)
@torch.no_grad()
def test_chunk_answers_do_not_depend_on_the_future(encoders, name):
    encoder = encoders[name]
    features = torch.randn(1, 160, encoder.config.bins)
    changed = features.clone()
    changed[:, 120:] += 5.0
    chunk = ChunkSpec(size=4, left_context=8)
    lengths = torch.tensor([160])
    a, b = encoder(features, lengths, chunk).x, encoder(changed, lengths, chunk).x
    safe = (120 - 15) // encoder.subsampling.factor // 4 * 4 // (encoder.factor // encoder.subsampling.factor)
    torch.testing.assert_close(a[:, :safe], b[:, :safe])
    assert not torch.allclose(a, b)


@pytest.mark.parametrize("name", CONFIGS)
@torch.no_grad()
def test_state_size_is_fixed_and_positions_never_run_out(encoders, name):
    encoder = encoders[name]
    chunk = ChunkSpec(size=4, left_context=8)
    state = encoder.init_state(1, chunk)
    # An hour in: same counters as after 3600 s of features, without computing them.
    frames = 360_000 // encoder.subsampling.factor // 4 * 4
    state = state._replace(done=state.done + frames, received=state.received + frames * encoder.subsampling.factor)
    sizes = []
    for _ in range(8):
        y, state = encoder.step(
            torch.randn(1, chunk.size * encoder.subsampling.factor, encoder.config.bins), state, chunk
        )
        assert torch.isfinite(y).all()
        sizes.append(number_of_values(state._replace(pending=state.pending[:, :0])))
        assert state.pending.shape[1] <= encoder.subsampling.span(chunk.size)
    assert sizes[0] < sizes[-1]  # the past fills up, and then stays as it is
    assert len(set(sizes[4:])) == 1


def number_of_values(state: EncoderState) -> int:
    if isinstance(state, torch.Tensor):
        return state.numel()
    if isinstance(state, int):
        return 1
    return sum(number_of_values(part) for part in state)


@pytest.mark.parametrize("name", CONFIGS)
@torch.no_grad()
def test_streams_can_be_joined_and_parted_between_steps(encoders, name):
    encoder = encoders[name]
    chunk = ChunkSpec(size=4, left_context=8)
    size = chunk.size * encoder.subsampling.factor
    features = torch.randn(3, 4 * size, encoder.config.bins)
    alone = [run_live(encoder, row[None], chunk, [size]) for row in features]
    states, outputs = [], [[], [], []]
    for row in features:
        y, state = encoder.step(row[None, :size], encoder.init_state(1, chunk), chunk)
        states.append(state)
        outputs[len(states) - 1].append(y)
    joined = merge(states)
    y, joined = encoder.step(features[:, size : 2 * size], joined, chunk)
    for index in range(3):
        outputs[index].append(y[index : index + 1])
    parted = select(joined, [2, 0])
    y, parted = encoder.step(features[[2, 0], 2 * size :], parted, chunk)
    last = torch.cat([y, encoder.finish(parted, chunk)], dim=1)
    for row, index in enumerate([2, 0]):
        outputs[index].append(last[row : row + 1])
        torch.testing.assert_close(torch.cat(outputs[index], dim=1), alone[index], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", CONFIGS)
@torch.no_grad()
def test_bfloat16_steps_choose_the_tokens_of_bfloat16_forward(encoders, name):
    encoder = CONFIGS[name].build().eval().bfloat16()
    torch.manual_seed(1)
    head = torch.nn.Linear(16, 7).bfloat16()
    features = torch.randn(2, 120, encoder.config.bins).bfloat16()
    chunk = ChunkSpec(size=4, left_context=8)
    whole = head(encoder(features, torch.tensor([120, 120]), chunk).x).float()
    live = head(run_live(encoder, features, chunk, [17])).float()
    top = whole.topk(2, dim=-1).values
    clear = (top[..., 0] - top[..., 1]) > 0.05  # the rest are ties at this precision
    assert clear.float().mean() > 0.7
    assert torch.equal(whole.argmax(-1)[clear], live.argmax(-1)[clear])


def test_an_odd_prefix_before_time_reduction_is_refused(encoders):
    encoder = encoders["whisper-reduced"]
    with pytest.raises(ConfigError, match="prefix of 3 frames"):
        encoder(torch.randn(1, 20, 12), torch.tensor([20]), prefix=torch.randn(1, 3, 16))


def test_a_chunk_that_cannot_be_halved_is_refused(encoders):
    with pytest.raises(ConfigError, match="cannot be reduced"):
        encoders["whisper-reduced"](torch.randn(1, 20, 12), torch.tensor([20]), ChunkSpec(size=3, left_context=4))
