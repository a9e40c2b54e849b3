"""The network on real speech, silence and noise; the cutting on tracks of probabilities that are known."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speech.audio import SAMPLE_RATE
from speech.audio import vad as vad_module
from speech.audio.input.files import load_audio
from speech.audio.vad import FRAME_S, FRAME_SAMPLES, MIN_SPEECH_S, PAD_S, THRESHOLD, Vad, cut, segment, unpadded
from speech.errors import ConfigError, ModelError

CLIPS = sorted(Path(str(files("speech") / "assets" / "clips")).glob("*.ogg"))


@pytest.fixture(scope="module")
def vad() -> Vad:
    return Vad()


def noise(duration_s: float, level: float = 0.05) -> np.ndarray:
    rng = np.random.default_rng(0)
    return (level * rng.standard_normal(int(duration_s * SAMPLE_RATE))).astype(np.float32)


def track(*stretches: tuple[float, int]) -> np.ndarray:
    """Probabilities from `(value, frames)`."""
    return np.concatenate([np.full(frames, value, np.float32) for value, frames in stretches])


def test_silence_and_noise_hold_no_speech(vad: Vad) -> None:
    assert segment(np.zeros(5 * SAMPLE_RATE, np.float32), vad) == []
    assert segment(noise(5.0), vad) == []
    assert segment(np.zeros(0, np.float32), vad) == []


def test_there_are_clips_to_test_with() -> None:
    assert len(CLIPS) >= 2


@pytest.mark.parametrize("path", CLIPS, ids=lambda path: path.stem)
def test_speech_between_silences_is_found_where_it_was_put(vad: Vad, path: Path) -> None:
    clip = load_audio(path)
    quiet = np.zeros(2 * SAMPLE_RATE, np.float32)
    spans = segment(np.concatenate([quiet, clip, quiet]), vad)
    assert spans
    end_s = 2.0 + len(clip) / SAMPLE_RATE
    assert spans[0][0] >= 1.6
    assert spans[-1][1] <= end_s + 0.6
    assert sum(end - start for start, end in spans) > 0.5 * (end_s - 2.0)


def test_steps_in_a_stream_give_the_probabilities_of_the_whole(vad: Vad) -> None:
    samples = np.tile(load_audio(CLIPS[0]), 6)  # more than one block of the network
    whole = vad.probabilities(samples)
    assert len(whole) == -(-len(samples) // FRAME_SAMPLES) > 512
    state = vad.init_state()
    for index in range(len(samples) // FRAME_SAMPLES):
        piece = samples[index * FRAME_SAMPLES : (index + 1) * FRAME_SAMPLES]
        probability, state = vad.step(piece, state)
        assert probability == pytest.approx(float(whole[index]), abs=1e-4)


def test_probabilities_are_those_of_the_streaming_network_that_silero_publishes(vad: Vad) -> None:
    published = Path(vad_module._shipped_network()).with_name("silero_vad.onnx")
    session = onnxruntime.InferenceSession(str(published), providers=["CPUExecutionProvider"])
    samples = load_audio(CLIPS[1])
    hidden, context = np.zeros((2, 1, 128), np.float32), np.zeros(64, np.float32)
    found = vad.probabilities(samples)
    assert found.max() > 0.9
    for index in range(len(samples) // FRAME_SAMPLES):
        piece = samples[index * FRAME_SAMPLES : (index + 1) * FRAME_SAMPLES]
        inputs = {"input": np.concatenate([context, piece])[None], "state": hidden, "sr": np.array(16_000)}
        probability, hidden = session.run(None, inputs)
        context = piece[-64:]
        assert float(probability[0, 0]) == pytest.approx(float(found[index]), abs=1e-4)


def test_a_step_depends_on_its_state_only(vad: Vad) -> None:
    samples = load_audio(CLIPS[0])
    _, state = vad.step(samples[:512], vad.init_state())
    first, _ = vad.step(samples[512:1024], state)
    vad.step(noise(1.0)[:512], vad.init_state())
    again, _ = vad.step(samples[512:1024], state)
    assert first == again


@pytest.mark.parametrize("count", [0, 511, 513])
def test_a_step_of_another_size_is_refused(vad: Vad, count: int) -> None:
    with pytest.raises(ConfigError, match=r"expected \(512,\)"):
        vad.step(np.zeros(count, np.float32), vad.init_state())


def test_a_package_without_the_network_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vad_module, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match="silero-vad is not installed"):
        Vad()


def cut_whole(*stretches: tuple[float, int]) -> list[tuple[float, float]]:
    """Segments of a recording that ends with its last frame."""
    probabilities = track(*stretches)
    return cut(probabilities, len(probabilities) * FRAME_S)


def frames(start: int, end: int) -> list[tuple[float, float]]:
    """One segment of frames `[start, end)`, with its pads."""
    return [(pytest.approx(start * FRAME_S - PAD_S), pytest.approx(end * FRAME_S + PAD_S))]


def test_frames_from_the_threshold_on_are_a_segment() -> None:
    assert cut_whole((0.1, 10), (0.5, 20), (0.1, 10)) == frames(10, 30)


def test_a_segment_begins_at_the_threshold_and_lasts_until_the_release() -> None:
    assert cut_whole((0.4, 10), (0.9, 10), (0.4, 10), (0.1, 12), (0.4, 5)) == frames(10, 30)


def test_short_bursts_are_left_out_and_short_pauses_do_not_end_a_segment() -> None:
    assert cut_whole((0.0, 50), (0.9, 3), (0.0, 50), (0.9, 20), (0.0, 5), (0.9, 20), (0.0, 50)) == frames(103, 148)


def test_pads_stay_in_the_recording_and_meet_in_the_middle_of_a_pause() -> None:
    probabilities = track((0.0, 1), (0.9, 20), (0.0, 10), (0.9, 20), (0.0, 1))
    found = cut(probabilities, 51.5 * FRAME_S)
    assert found == [(0.0, 26 * FRAME_S), (26 * FRAME_S, 51.5 * FRAME_S)]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.floats(0.0, 1.0, width=32), st.integers(1, 120)), max_size=12))
def test_segments_cover_all_speech_but_bursts_in_order(stretches: list[tuple[float, int]]) -> None:
    probabilities = track(*stretches) if stretches else np.zeros(0, np.float32)
    found = cut(probabilities, len(probabilities) * FRAME_S)
    edges = [edge for span in found for edge in span]
    assert edges == sorted(edges)
    assert not edges or (edges[0] >= 0.0 and edges[-1] <= len(probabilities) * FRAME_S)
    middles = (np.flatnonzero(probabilities >= THRESHOLD) + 0.5) * FRAME_S
    starts, ends = (np.array([span[k] for span in found]) for k in (0, 1))
    missed = [middle for middle in middles if not ((starts <= middle) & (middle <= ends)).any()]
    for burst in np.split(missed, np.flatnonzero(np.diff(missed) > 1.5 * FRAME_S) + 1):
        assert len(burst) * FRAME_S < MIN_SPEECH_S


def test_what_lies_between_unpadded_segments_is_the_pause() -> None:
    probabilities = track((0.0, 10), (0.9, 40), (0.0, 25), (0.9, 3), (0.0, 22), (0.9, 40), (0.0, 5))
    spans = unpadded(probabilities, 145 * FRAME_S)  # three frames are a click
    assert np.ravel(spans) == pytest.approx(np.array([10, 50, 100, 140]) * FRAME_S)
    assert cut(probabilities, 145 * FRAME_S)[0] == pytest.approx((10 * FRAME_S - PAD_S, 50 * FRAME_S + PAD_S))
