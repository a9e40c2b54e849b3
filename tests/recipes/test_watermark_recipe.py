"""`recipes/tts/train_watermark.py`: from manifests to a watermark, as it is called."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from speech.models.watermark_checkpoint import load_watermark_checkpoint
from tests.recipes.starting import one_line, started
from tests.tiny_watermark import SHAPE
from tests.train.codec.corpus import spoken

__all__ = ["spoken"]  # fixtures
SCRIPT = "tts/train_watermark.py"


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[object]:
    yield from started(monkeypatch, capsys)


def test_it_writes_a_watermark_and_says_where(start, spoken, tmp_path):
    shape = [f"model.{name}={value}" for name, value in SHAPE.items()]
    small = ["crops.crop_s=0.5", "crops.rows=2", "calibration.utterances=4"]
    output = tmp_path / "run"
    arguments = ["debug=default", f"output={output}", f"data.root={spoken}", "trainer.progress=false"]
    ran = start(SCRIPT, *arguments, *small, *shape)
    assert ran.code == 0, ran.err[-3000:]
    assert ran.out.replace("\n", "") == f"watermark: {output / 'model'}"
    loaded = load_watermark_checkpoint(output / "model")
    assert loaded.model.sample_rate == 8000
    assert loaded.threshold.recordings == 8


def test_what_is_wrong_is_said_in_a_line(start, spoken, tmp_path):
    arguments = ["debug=default", f"output={tmp_path / 'run'}", f"data.root={spoken}"]
    assert "n_fft 1000, hop 240" in one_line(start(SCRIPT, "model.n_fft=1000", *arguments))
    assert "period 5, expected an even number" in one_line(start(SCRIPT, "model.period=5", *arguments))
    assert "detector_dim 60, expected at least 68" in one_line(start(SCRIPT, "model.detector_dim=60", *arguments))
    wrong = one_line(start(SCRIPT, "attacks.snr_db=[30,10]", *arguments))
    assert "attacks.snr_db [30.0, 10.0], expected the lowest first" in wrong
