"""The benchmark of a watermark: each attack is measured, and figures mean what they say."""

import numpy as np
import pytest
import soundfile
from watermark import ATTACKS, bits_right, measure, overlap, table

from speech.data.manifest import Utterance
from speech.models.watermark_checkpoint import Threshold, WatermarkCheckpoint
from speech.tts.watermark import FrameLogits, Watermarker, encode_message
from tests.tiny_watermark import tiny_watermark

RATE = 24000


def marker(logit: float) -> Watermarker:
    return Watermarker(WatermarkCheckpoint(tiny_watermark(), Threshold(logit, 0.01, 100), {}))


def test_bits_are_compared_where_the_mark_is():
    signs = 2 * np.array(encode_message(9)) - 1.0
    signs[:4] *= -1
    presence = np.where(np.arange(100) < 50, 5.0, -5.0)
    bits = np.where(presence[:, None] > 0, signs, -20 * signs)
    assert bits_right(FrameLogits(presence, bits), 9) == 12 / 16


def test_overlap_is_intersection_over_union():
    wanted = np.array([True, True, True, False, False])
    assert overlap(wanted, wanted) == 1
    assert overlap(~wanted, wanted) == 0
    assert overlap(np.array([False, True, True, True, False]), wanted) == 0.5


@pytest.mark.parametrize("name", list(ATTACKS))
def test_each_attack_changes_speech_as_its_name_says(name):
    times = np.arange(2 * RATE) / RATE
    samples = (0.1 * np.sin(2 * np.pi * 6000 * times) + 0.1 * np.sin(2 * np.pi * 500 * times)).astype(np.float32)
    other = np.random.default_rng(3).standard_normal(len(samples)).astype(np.float32)
    found = ATTACKS[name](samples, other, RATE, np.random.default_rng(0))
    assert found.dtype == np.float32
    lengths = {"speed 1.05": 45714, "speed 1.1": 43636, "cropped": 48000 - 2 * 9048}
    assert len(found) == lengths.get(name, 48000)
    spectrum = np.abs(np.fft.rfft(found * np.hanning(len(found))))
    peak = np.argmax(spectrum[: int(0.2 * len(spectrum))]) * RATE / len(found)
    factor = {"speed 1.05": 1.05, "speed 1.1": 1.1}.get(name, 1.0)
    assert peak == pytest.approx(500 * factor, abs=3)
    if name == "8 kHz":
        assert spectrum[int(0.4 * len(spectrum)) :].max() < 0.01 * spectrum.max()


@pytest.fixture
def utterances(tmp_path) -> list[Utterance]:
    """Two seconds each, so that all of them are also cropped and located."""
    found = []
    for number in range(2):
        path = tmp_path / f"{number}.wav"
        noise = 0.1 * np.random.default_rng(number).standard_normal(32000)
        soundfile.write(path, noise.astype(np.float32), 16000)
        found.append(Utterance(id=str(number), audio=path, duration_s=2.0, language="eng", text=""))
    return found


def test_all_figures_are_measured(utterances):
    always, never = (measure(marker(logit), utterances, 1) for logit in (-1000.0, 1000.0))
    assert list(always["attacks"]) == list(ATTACKS)
    for name in ATTACKS:
        for share in ("windows_marked", "windows_unmarked", "files_marked", "files_unmarked"):
            assert always["attacks"][name][share] == 1
            assert never["attacks"][name][share] == 0
        assert never["attacks"][name]["messages"] == 0
        assert 0 <= always["attacks"][name]["bits"] <= 1
    assert 10 < always["snr_db"]["least"] <= always["snr_db"]["mean"] < 40
    assert always["rtf"]["embed"] > 0 < always["rtf"]["detect"]
    assert always["place"] == {"iou_mean": pytest.approx(0.5), "iou_median": pytest.approx(0.5), "utterances": 2}
    assert never["place"]["iou_mean"] == 0
    assert (always["utterances"], always["seconds"]) == (2, pytest.approx(4.0))
    assert table(always).row_count == len(ATTACKS)
