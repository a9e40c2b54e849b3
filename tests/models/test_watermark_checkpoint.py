"""A watermark comes back from disk as it was, and other readers and damaged files are told apart."""

import json
import math
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from speech.errors import ModelError
from speech.models.checkpoint import KINDS, Storage, kind_of, load_checkpoint
from speech.models.storage import WATERMARK
from speech.models.watermark import WatermarkConfig
from speech.models.watermark_checkpoint import (
    WatermarkCheckpoint,
    load_watermark_checkpoint,
    save_watermark_checkpoint,
)
from tests.cli.calling import run
from tests.tiny_watermark import save_tiny_watermark, tiny_threshold, tiny_watermark


@pytest.fixture
def saved(tmp_path):
    return save_tiny_watermark(tmp_path / "w", evidence=1.25)


@torch.inference_mode()
def marked(model):
    samples = 0.1 * torch.randn(1, 1600, generator=torch.Generator().manual_seed(0))
    return model.generator(samples, torch.ones(1, 16))


@pytest.mark.parametrize("storage", [Storage.float32, Storage.float16])
def test_it_comes_back_as_it_was(tmp_path, storage):
    model, more = tiny_watermark(), tmp_path / "curve.txt"
    more.write_text("curve")
    checkpoint = WatermarkCheckpoint(model, tiny_threshold(0.5, -0.25), {"note": "tiny"})
    save_watermark_checkpoint(
        tmp_path / "w", checkpoint, card="# tiny\n", storage=storage, attached={"curve.txt": more}
    )
    loaded = load_watermark_checkpoint(tmp_path / "w")
    assert (loaded.info, loaded.threshold) == ({"note": "tiny"}, tiny_threshold(0.5, -0.25))
    assert loaded.model.config == model.config
    assert not loaded.model.training
    assert {file.name for file in (tmp_path / "w").iterdir()} == {
        "config.json", "model.safetensors", "README.md", "curve.txt",
    }  # fmt: skip
    tolerance = 0.0 if storage == Storage.float32 else 1e-3
    torch.testing.assert_close(marked(loaded.model), marked(model), atol=tolerance, rtol=0)


def test_its_kind_is_in_the_closed_table(saved):
    assert kind_of(saved) == WATERMARK
    assert KINDS[WATERMARK] is WatermarkConfig


def test_it_is_no_recogniser_and_a_recogniser_is_no_watermark(saved, checkpoint):
    with pytest.raises(ModelError, match="It is a watermark: use a model that recognises speech"):
        load_checkpoint(saved)
    with pytest.raises(ModelError, match=r"kind 'owsm_ctc'; expected 1, 'watermark'\. Use a watermark"):
        load_watermark_checkpoint(checkpoint)


def test_it_describes_itself(saved):
    said = run("models", saved).stdout
    assert "kind          watermark" in said
    assert "8000 Hz" in said
    assert "16 bits" in said
    assert "1.25 or, at other speeds, 1.25, reached by 1.00% of 100 unmarked recordings" in said
    assert "adapters" not in said


def test_what_is_wrong_is_named(saved):
    record = json.loads((saved / "config.json").read_text())
    for key, change, message in (
        ("model", {"hop": 90}, "n_fft 320, hop 90"),
        ("model", {"depth": 3}, "wrong or missing key"),
        ("threshold", {"level": 3}, "wrong or missing key"),
        ("threshold", {"false_alarms": 3.0}, "is no threshold"),
        ("threshold", {"window_false_alarms": -1.0}, "is no threshold"),
        ("threshold", {"growth": -1.0}, "is no threshold"),
        ("threshold", {"duration_s": 0.0}, "is no threshold"),
        ("threshold", {"evidence": "high"}, "wrong or missing key"),
    ):
        (saved / "config.json").write_text(json.dumps(record | {key: record[key] | change}))
        with pytest.raises(ModelError, match=message):
            load_watermark_checkpoint(saved)
    (saved / "config.json").write_text(json.dumps(record))
    tensors = load_file(saved / "model.safetensors")
    save_file({**tensors, "extra": torch.zeros(1)}, saved / "model.safetensors")
    with pytest.raises(ModelError, match="extra"):
        load_watermark_checkpoint(saved)


def test_a_threshold_grows_with_the_logarithm_of_the_duration():
    threshold = tiny_threshold(3.0)
    assert [threshold.of(seconds) for seconds in (0.5, 4.0)] == [3.0, 3.0]
    assert threshold.of(4.0 * math.e**2) == pytest.approx(4.0)


def test_more_may_be_asked_at_other_speeds():
    threshold = replace(tiny_threshold(3.0), played=5.0)
    assert [threshold.of(1.0, speed) for speed in (0.9, 1.0, 1.1)] == [8.0, 3.0, 8.0]
