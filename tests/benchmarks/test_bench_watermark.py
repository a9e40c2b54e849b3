"""The benchmark of a watermark: each attack is measured, and figures mean what they say."""

import numpy as np
import pytest
import soundfile
from watermark import ATTACKS, bits_right, measure, overlap, table, windows_marked

from speech.data.manifest import Utterance
from speech.models.watermark_checkpoint import WatermarkCheckpoint
from speech.tts.watermark import Watermarker
from speech.tts.watermark_listening import MarkLogits
from speech.tts.watermark_message import SIGNS
from tests.tiny_watermark import tiny_threshold, tiny_watermark

RATE = 24000


def marker(evidence: float) -> Watermarker:
    return Watermarker(WatermarkCheckpoint(tiny_watermark(), tiny_threshold(evidence), {}))


def test_bits_are_compared_where_the_mark_is():
    signs = SIGNS[9].copy()
    signs[:4] *= -1
    presence = np.where(np.arange(100) < 50, 5.0, -5.0)
    bits = np.where(np.arange(10)[:, None] < 5, signs, -20 * signs)
    assert bits_right(MarkLogits(1.0, 0.01, presence, bits), 9) == 12 / 16


def test_windows_count_in_a_recording_that_is_marked():
    presence = np.where(np.arange(500) < 200, 5.0, -5.0)
    bits = np.where(np.arange(50)[:, None] < 20, 0.1 * SIGNS[9], 0.0)
    heard = [MarkLogits(1.0, 0.01, presence, bits)]
    found = windows_marked(heard, tiny_threshold(20.0, 0.0))
    assert found[:11].all()
    assert not found[20:].any()
    assert not windows_marked(heard, tiny_threshold(40.0, 0.0)).any()


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
    factor = float(name.removeprefix("speed ")) if name.startswith("speed") else 1.0
    lengths = {"cropped": 48000 - 2 * 9048}
    assert len(found) == lengths.get(name, round(48000 / factor))
    spectrum = np.abs(np.fft.rfft(found * np.hanning(len(found))))
    peak = np.argmax(spectrum[: int(0.2 * len(spectrum))]) * RATE / len(found)
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


def test_all_figures_are_measured(utterances, monkeypatch):
    few = {name: ATTACKS[name] for name in ("clean", "speed 1.1", "mixed 5 dB")}  # what each does is tested above
    monkeypatch.setattr("watermark.ATTACKS", few)
    always, never = (measure(marker(logit), utterances, 1) for logit in (-1000.0, 1000.0))
    assert list(always["attacks"]) == list(few)
    for name in few:
        for share in ("windows_marked", "windows_unmarked", "files_marked", "files_unmarked"):
            assert always["attacks"][name][share] == 1
            assert never["attacks"][name][share] == 0
        assert never["attacks"][name]["messages"] == never["attacks"][name]["messages_wrong"] == 0
        assert 0 <= always["attacks"][name]["bits"] <= 1
    assert 10 < always["snr_db"]["least"] <= always["snr_db"]["mean"] < 40
    assert always["rtf"]["embed"] > 0 < always["rtf"]["detect"]
    assert always["place"] == {"iou_mean": pytest.approx(0.5), "iou_median": pytest.approx(0.5), "utterances": 2}
    assert never["place"]["iou_mean"] == 0
    assert (always["utterances"], always["seconds"]) == (2, pytest.approx(4.0))
    assert table(always).row_count == len(few)
