"""Features against the published front ends, rows against themselves alone, and pieces against the whole."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torchaudio
from hypothesis import given, settings
from hypothesis import strategies as st

from speech.audio.log_mel import Log, LogMel, LogMelConfig, mel_filters
from speech.errors import ConfigError

STREAMABLE = {"owsm": LogMelConfig.owsm(), "owsm_128": LogMelConfig.owsm(128), "whisper": LogMelConfig.whisper()}
ALL = {**STREAMABLE, "whisper_published": LogMelConfig.whisper_published()}


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("n_fft", "n_mels"), [(512, 80), (512, 128), (400, 80), (400, 128)])
def test_filters_are_those_of_torchaudio(n_fft: int, n_mels: int) -> None:
    theirs = torchaudio.functional.melscale_fbanks(
        n_fft // 2 + 1, 0.0, 8000.0, n_mels, 16_000, norm="slaney", mel_scale="slaney"
    )
    np.testing.assert_allclose(mel_filters(n_fft, n_mels), theirs.numpy(), atol=2e-6)


@pytest.mark.parametrize("n_mels", [80, 128])
def test_owsm_features_are_the_logarithm_of_a_centred_spectrogram_through_slaney_filters(n_mels: int) -> None:
    samples = noise(1, 20_011).double()
    spectrum = torch.stft(
        samples,
        512,
        160,
        400,
        torch.hann_window(400, dtype=torch.float64),
        center=True,
        pad_mode="reflect",
        return_complex=True,
    )
    power = spectrum.abs().square().transpose(1, 2)
    expected = (power @ torch.from_numpy(mel_filters(512, n_mels))).clamp(min=1e-10).log()
    features, lengths = LogMel(LogMelConfig.owsm(n_mels))(samples.float(), torch.tensor([20_011]))
    assert lengths.tolist() == [20_011 // 160 + 1]
    torch.testing.assert_close(features.double(), expected, atol=1e-3, rtol=0)


def test_published_whisper_features_are_those_of_faster_whisper() -> None:
    peer = pytest.importorskip("faster_whisper.feature_extractor", reason="the group `peers` is not installed")
    samples = noise(1, 30_000)
    samples[:, 10_000:20_000] *= 1e-4
    features, lengths = LogMel(LogMelConfig.whisper_published())(samples, torch.tensor([30_000]))
    theirs = peer.FeatureExtractor()(samples[0].numpy(), padding=0)
    assert lengths.tolist() == [30_000 // 160]
    assert theirs.shape[1] in (lengths.item(), lengths.item() + 1)
    # Its last frame differs: it is computed from other padding.
    np.testing.assert_allclose(features[0, :-2].numpy().T, theirs[:, : lengths.item() - 2], atol=1e-3)


def test_published_whisper_features_follow_the_formula_of_the_paper_code() -> None:
    samples = noise(1, 16_000)
    samples[:, 4_000:12_000] *= 1e-5
    spectrum = torch.stft(samples, 400, 160, window=torch.hann_window(400), return_complex=True)
    mel = spectrum[..., :-1].abs().square().transpose(1, 2) @ torch.from_numpy(mel_filters(400, 80)).float()
    logs = mel.clamp(min=1e-10).log10()
    expected = (torch.maximum(logs, logs.max() - 8.0) + 4.0) / 4.0
    features, _ = LogMel(LogMelConfig.whisper_published())(samples, torch.tensor([16_000]))
    torch.testing.assert_close(features, expected, atol=1e-4, rtol=0)


def test_streamable_whisper_is_the_published_one_where_nothing_lies_below_the_floor() -> None:
    samples, lengths = noise(1, 16_000), torch.tensor([16_000])
    ours, published = LogMel(LogMelConfig.whisper()), LogMel(LogMelConfig.whisper_published())
    torch.testing.assert_close(ours(samples, lengths)[0], published(samples, lengths)[0])


@pytest.mark.parametrize("name", ALL)
def test_silence_gives_the_floor_and_no_infinity(name: str) -> None:
    config = ALL[name]
    features, _ = LogMel(config)(torch.zeros(1, 16_000), torch.tensor([16_000]))
    floor = np.log(config.floor) if config.log == Log.ln else np.log10(config.floor)
    torch.testing.assert_close(features, torch.full_like(features, (floor + 4) / 4 if config.whisper_scale else floor))


@pytest.mark.parametrize("name", ALL)
@settings(max_examples=20, deadline=None)
@given(counts=st.lists(st.integers(0, 4000), min_size=2, max_size=4), seed=st.integers(0, 100))
def test_a_row_has_the_features_it_has_alone_and_zeros_behind(name: str, counts: list[int], seed: int) -> None:
    front = LogMel(ALL[name])
    lengths = torch.tensor(counts)
    samples = noise(len(counts), max(counts), seed=seed)  # what lies behind a row's end is not silence
    features, frames = front(samples, lengths)
    assert features.shape[1] == int(frames.max())
    torch.testing.assert_close(frames, front.output_lengths(lengths))
    for row, count in enumerate(counts):
        alone, alone_frames = front(samples[row : row + 1, :count], lengths[row : row + 1])
        size = int(frames[row])
        assert int(alone_frames[0]) == size
        torch.testing.assert_close(features[row, :size], alone[0], atol=1e-4, rtol=0)
        assert not features[row, size:].any()


@pytest.mark.parametrize("count", [0, 1, 100, 200, 201, 256])
def test_a_row_shorter_than_half_a_window_is_that_row_with_zeros_behind(count: int) -> None:
    front = LogMel(LogMelConfig.owsm())
    samples = noise(1, count)
    features, frames = front(samples, torch.tensor([count]))
    padded = torch.nn.functional.pad(samples, (0, 257 - count))
    expected, expected_frames = front(padded, torch.tensor([257]))
    assert frames.tolist() == expected_frames.tolist() == [2]
    torch.testing.assert_close(features, expected)


@pytest.mark.parametrize("name", STREAMABLE)
@settings(max_examples=40, deadline=None)
@given(
    pieces=st.lists(st.one_of(st.integers(0, 50), st.integers(0, 3000)), max_size=12),
    batch=st.integers(1, 3),
    seed=st.integers(0, 100),
)
def test_pieces_of_any_size_give_the_frames_of_the_whole(name: str, pieces: list[int], batch: int, seed: int) -> None:
    front = LogMel(STREAMABLE[name])
    count = sum(pieces)
    samples = noise(batch, count, seed=seed)
    expected, _ = front(samples, torch.full((batch,), count))
    state = front.init_state(batch)
    found = []
    for piece in samples.split(pieces, dim=1) if pieces else []:
        features, state = front.step(piece, state)
        found.append(features)
        assert state.samples.shape[1] <= 2 * front.config.n_fft + front.config.hop_length
    found.append(front.finish(state))
    torch.testing.assert_close(torch.cat(found, dim=1), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", STREAMABLE)
def test_a_step_leaves_the_state_before_it_as_it_was(name: str) -> None:
    front = LogMel(STREAMABLE[name])
    _, state = front.step(noise(1, 1000), front.init_state(1))
    copies = [tensor.clone() for tensor in state]
    first, _ = front.step(noise(1, 700, seed=1), state)
    again, _ = front.step(noise(1, 700, seed=1), state)
    torch.testing.assert_close(first, again, atol=0, rtol=0)
    for tensor, copy in zip(state, copies, strict=True):
        torch.testing.assert_close(tensor, copy, atol=0, rtol=0)


@pytest.mark.parametrize("name", STREAMABLE)
def test_a_frame_is_out_before_two_hops_after_its_window_has_ended(name: str) -> None:
    front = LogMel(STREAMABLE[name])
    state = front.init_state(1)
    frames = 0
    for step in range(1, 100):
        features, state = front.step(noise(1, 160), state)
        frames += features.shape[1]
        complete = max(0, (step * 160 - front.pad) // 160 + 1)
        assert complete - 1 <= frames <= complete


def test_a_clamp_to_the_maximum_of_the_utterance_cannot_be_streamed() -> None:
    with pytest.raises(ConfigError, match="cannot be streamed"):
        LogMel(LogMelConfig.whisper_published()).init_state(1)


def test_constants_are_no_weights_and_real_where_a_model_takes_no_memory() -> None:
    front = LogMel(LogMelConfig.owsm())
    assert not front.state_dict()
    with torch.device("meta"):
        empty = LogMel(LogMelConfig.owsm())
    torch.testing.assert_close(front.window, empty.window)
    torch.testing.assert_close(front.filters, empty.filters)


def test_names_of_the_logarithm_equal_their_values() -> None:
    assert all(log.name == log.value for log in Log)
