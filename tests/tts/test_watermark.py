"""Marking and finding marks: messages, streams, verdicts, and what is refused."""

import numpy as np
import pytest

from speech.errors import AudioError, ConfigError, ModelError
from speech.models.hub import locate
from speech.models.watermark_checkpoint import Threshold
from speech.tts.watermark import (
    MESSAGES,
    FrameLogits,
    WatermarkChoice,
    Watermarker,
    decode_message,
    encode_message,
    marked_runs,
    verdict,
    window_scores,
)
from tests.tiny_watermark import save_tiny_watermark

RATE = 8000
ANY = Threshold(0.0, 0.01, 100)


@pytest.fixture(scope="module")
def marker(tmp_path_factory) -> Watermarker:
    return Watermarker.from_pretrained(str(save_tiny_watermark(tmp_path_factory.mktemp("w") / "model")))


def noise(count: int, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(count)).astype(np.float32)


def cut(samples: np.ndarray, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return np.split(samples, np.sort(rng.integers(0, len(samples), 9)))


def test_every_message_comes_back():
    words = [encode_message(message) for message in range(MESSAGES)]
    assert all(len(bits) == 16 for bits in words)
    assert [decode_message(bits) for bits in words] == list(range(MESSAGES))
    assert words[0][:4] == [0, 0, 0, 1]  # version 1


def test_up_to_two_wrong_bits_are_noticed_for_any_message():
    for message in (0, 77, 255):
        bits = encode_message(message)
        for first in range(16):
            wrong = [bit ^ (place == first) for place, bit in enumerate(bits)]
            assert decode_message(wrong) is None
    another_version = [0, 0, 1, 0, *encode_message(5)[4:]]
    assert decode_message(another_version) is None


@pytest.mark.parametrize("message", [-1, 256])
def test_a_message_out_of_range_is_refused(message, marker):
    with pytest.raises(ConfigError, match=f"message {message}, expected 0 to 255"):
        encode_message(message)
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
    whole, pieces = marker.listen([samples]), marker.listen(cut(samples, seed))
    assert whole.presence.shape == (125,)
    assert whole.bits.shape == (125, 16)
    np.testing.assert_allclose(pieces.presence, whole.presence, atol=2e-5)
    np.testing.assert_allclose(pieces.bits, whole.bits, atol=2e-5)


def test_the_rate_of_what_is_listened_to_is_heeded(marker):
    """Twice the samples at twice the rate are the same sound."""
    samples = noise(2 * RATE)
    double = np.interp(np.arange(4 * RATE) / 2, np.arange(2 * RATE), samples).astype(np.float32)
    found = marker.detect(double, 2 * RATE)
    assert abs(found.score - marker.detect(samples, RATE).score) < 0.5


def logits(marked: np.ndarray, message: int = 77) -> FrameLogits:
    signs = 2 * np.array(encode_message(message)) - 1.0
    return FrameLogits(np.where(marked, 3.0, -3.0), np.where(marked[:, None], 2.0 * signs, -9.0 * signs))


def test_a_verdict_names_place_and_message():
    marked = np.zeros(1000, bool)
    marked[200:450] = True
    marked[700:850] = True
    found = verdict(logits(marked), 0.01, ANY)
    assert found.marked
    assert found.message == 77
    assert found.score == pytest.approx(3.0)
    assert len(found.segments) == 2
    for segment, (start_s, end_s) in zip(found.segments, [(2.0, 4.5), (7.0, 8.5)], strict=True):
        assert segment.start_s == pytest.approx(start_s, abs=0.03)
        assert segment.end_s == pytest.approx(end_s, abs=0.03)


def test_what_stays_below_the_threshold_has_neither_place_nor_message():
    found = verdict(logits(np.ones(300, bool)), 0.01, Threshold(3.5, 0.01, 100))
    assert (found.marked, found.segments, found.message) == (False, (), None)
    assert found.score == pytest.approx(3.0)


def test_bits_with_an_error_are_no_message():
    wrong = logits(np.ones(300, bool))
    wrong.bits[:, 5] *= -1
    found = verdict(wrong, 0.01, ANY)
    assert found.marked
    assert found.message is None


def test_short_gaps_are_bridged_and_moments_dropped():
    marked = np.ones(1000, bool)
    marked[300:330] = False
    assert marked_runs(np.where(marked, 3.0, -3.0), 0.01, 0.0) == [(0, 1000)]
    marked[400:900] = False
    marked[600:610] = True
    (first, last), *rest = marked_runs(np.where(marked, 3.0, -3.0), 0.01, 0.0)
    assert (first, len(rest)) == (0, 1)
    assert last == pytest.approx(400, abs=3)


def test_windows_are_a_second_long_and_a_short_recording_is_one():
    presence = np.concatenate([np.zeros(100), np.ones(100)])
    scores = window_scores(presence, 0.01)
    np.testing.assert_allclose(scores, np.arange(0, 1.01, 0.1))
    np.testing.assert_allclose(window_scores(presence[150:], 0.01), [1.0])


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
