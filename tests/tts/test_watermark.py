"""Marking and finding marks: streams, speeds, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from speech.audio.input.files import load_audio
from speech.errors import AudioError, ConfigError, ModelError
from speech.models.hub import locate
from speech.tts.watermark import WatermarkChoice, Watermarker
from tests.tiny_watermark import save_tiny_watermark

RATE = 8000
CLIPS = Path(__file__).parents[2] / "speech" / "assets" / "clips"


@pytest.fixture(scope="module")
def marker(tmp_path_factory) -> Watermarker:
    return Watermarker.from_pretrained(str(save_tiny_watermark(tmp_path_factory.mktemp("w") / "model")))


def noise(count: int, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(count)).astype(np.float32)


def cut(samples: np.ndarray, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return np.split(samples, np.sort(rng.integers(0, len(samples), 9)))


@pytest.mark.parametrize("message", [-1, 256])
def test_a_message_out_of_range_is_refused(message, marker):
    with pytest.raises(ConfigError, match="expected 0 to 255"):
        marker.embed(noise(RATE), RATE, message)


@pytest.mark.parametrize("seed", range(4))
def test_a_stream_is_marked_as_the_whole(marker, seed):
    samples = noise(7777, seed)
    pieces = cut(samples, seed)
    made = list(marker.embed_stream(pieces, 9))
    assert len(made) == len(pieces) + 1
    for done in range(len(pieces)):
        behind = sum(map(len, pieces[: done + 1])) - sum(map(len, made[: done + 1]))
        assert 0 <= behind < marker.model.generator.delay + 80
    np.testing.assert_allclose(np.concatenate(made), marker.embed(samples, RATE, 9), atol=1e-6)


def test_a_settled_stream_goes_on_with_its_mark(marker):
    """After a pause of more than the delay nothing shows that it was settled."""
    one, two = noise(4001, 1), noise(5003, 2)
    one[-500:] = 0
    stream = marker.open(9)
    first = np.concatenate([stream.push(one), stream.settle()])
    second = np.concatenate([stream.push(two[:10]), stream.push(two[10:]), stream.settle(), stream.settle()])
    assert (len(first), len(second)) == (len(one), len(two))
    np.testing.assert_allclose(first, marker.embed(one, RATE, 9), atol=1e-6)
    whole = marker.embed(np.concatenate([one, two]), RATE, 9)
    differs = np.abs(np.concatenate([first, second]) - whole) > 1e-6
    assert not differs[len(one) :].any()
    assert not differs[: len(one) - 320].any()


def test_another_message_is_another_mark(marker):
    samples = noise(RATE)
    assert np.abs(marker.embed(samples, RATE, 1) - marker.embed(samples, RATE, 2)).max() > 1e-4


@pytest.mark.parametrize("rate", [6000, 16000, 44100])
def test_other_rates_keep_their_length_and_what_is_above(marker, rate):
    samples = noise(2 * rate)
    marked = marker.embed(samples, rate, 3)
    assert marked.shape == samples.shape
    assert marked.dtype == np.float32
    change = np.fft.rfft(marked - samples)
    hertz = np.fft.rfftfreq(len(samples), 1 / rate)
    assert np.abs(change[hertz < 2900]).max() > 100 * np.abs(change[hertz > 4200]).max(initial=0.0)


@pytest.mark.parametrize("seed", range(3))
def test_a_recording_in_pieces_is_heard_as_the_whole(marker, seed):
    samples = noise(9999, seed)
    for whole, pieces in zip(marker.listen([samples]), marker.listen(cut(samples, seed)), strict=True):
        np.testing.assert_allclose(pieces.presence, whole.presence, atol=2e-5)
        np.testing.assert_allclose(pieces.bits, whole.bits, atol=2e-5)


def test_the_rate_of_what_is_listened_to_is_heeded(marker):
    """Twice the samples at twice the rate are the same sound."""
    samples = noise(2 * RATE)
    double = np.interp(np.arange(4 * RATE) / 2, np.arange(2 * RATE), samples).astype(np.float32)
    found = marker.detect(double, 2 * RATE)
    assert found.score == pytest.approx(marker.detect(samples, RATE).score, rel=0.1)


@pytest.mark.parametrize(
    ("samples", "rate", "message"),
    [
        (noise(2000), RATE, "has 0.25 s, expected 0.5 s or more"),
        (noise(8000).reshape(4000, 2), RATE, r"shape \(4000, 2\), expected \(n,\)"),
        (noise(8000), 0, "rate is 0 Hz"),
        (np.full(8000, np.nan, np.float32), RATE, "not finite"),
    ],
)
def test_audio_that_cannot_be_used_is_refused(marker, samples, rate, message):
    with pytest.raises(AudioError, match=message):
        marker.detect(samples, rate)
    with pytest.raises(AudioError, match=message):
        marker.embed(samples, rate)


def test_a_stream_that_is_too_short_is_refused(marker):
    with pytest.raises(AudioError, match=r"has 0\.10 s"):
        marker.detect_stream([noise(500), noise(300)])


def test_no_model_is_said():
    with pytest.raises(ModelError, match="no such model"):
        Watermarker.from_pretrained("nowhere")


def test_which_watermark_speech_gets(tmp_path):
    (tmp_path / "other").mkdir()
    assert WatermarkChoice().located(tmp_path, 24000) == locate("embedded-watermark")
    assert WatermarkChoice().located(tmp_path, 16000) is None
    assert WatermarkChoice(model=str(tmp_path / "other")).located(tmp_path, 24000) == tmp_path / "other"
    (tmp_path / "watermark").mkdir()
    assert WatermarkChoice().located(tmp_path, 24000) == tmp_path / "watermark"
    assert WatermarkChoice(model=str(tmp_path / "other")).located(tmp_path, 24000) == tmp_path / "other"
    assert WatermarkChoice(model=str(tmp_path / "other"), on=False).located(tmp_path, 24000) is None
    with pytest.raises(ModelError, match="no such model"):
        WatermarkChoice(model="nowhere").located(tmp_path, 24000)
    with pytest.raises(ConfigError, match="message 300"):
        WatermarkChoice(message=300)


@pytest.fixture(scope="module")
def shipped() -> Watermarker:
    return Watermarker.from_pretrained("embedded-watermark")


@pytest.fixture(scope="module")
def speech(shipped) -> np.ndarray:
    return load_audio(CLIPS / "LJ003-0041.ogg", rate=shipped.sample_rate)


def played(samples: np.ndarray, speed: float) -> np.ndarray:
    """`samples` at a speed, pitch too, without the resampler that looks for it."""
    places = np.arange(0, len(samples) - 1, speed)
    return np.interp(places, np.arange(len(samples)), samples).astype(np.float32)


@pytest.mark.parametrize(("speed", "said"), [(0.9, 0.89), (1.0, 1.0), (1.1, 1.124)])
def test_speech_at_another_speed_is_found_with_its_place_and_message(shipped, speech, speed, said):
    start, end = len(speech) // 4, 3 * len(speech) // 4
    marked = speech.copy()
    marked[start:end] = shipped.embed(speech, shipped.sample_rate, 77)[start:end]
    found = shipped.detect(played(marked, speed), shipped.sample_rate)
    assert (found.marked, found.message, found.speed) == (True, 77, said)
    (segment,) = found.segments
    assert segment.start_s == pytest.approx(start / speed / shipped.sample_rate, abs=0.35)
    assert segment.end_s == pytest.approx(end / speed / shipped.sample_rate, abs=0.35)
    plain = shipped.detect(played(speech, speed), shipped.sample_rate)
    assert (plain.marked, plain.segments, plain.message, plain.speed) == (False, (), None, 1.0)


def test_a_stream_at_another_speed_gets_the_verdict_of_the_whole(shipped, speech):
    fast = played(shipped.embed(speech, shipped.sample_rate, 77), 1.1)
    whole, pieces = shipped.detect(fast, shipped.sample_rate), shipped.detect_stream(cut(fast, 1))
    assert pieces.score == pytest.approx(whole.score, abs=1e-2)
    assert (pieces.message, pieces.speed, pieces.segments) == (whole.message, whole.speed, whole.segments)
