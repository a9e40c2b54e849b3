"""`recipes/tts/train_codec.py`: from manifests to a codec, as it is called."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from speech.models.codec_checkpoint import load_codec_checkpoint
from tests.recipes.starting import one_line, started
from tests.tiny_codec import QUANTIZER, SHAPE
from tests.train.codec.corpus import JUDGES, spoken

__all__ = ["spoken"]  # fixtures
SCRIPT = "tts/train_codec.py"


def given(values: dict[str, object], path: str) -> list[str]:
    """Overrides of the command line."""
    return [f"{path}.{name}={str(value).replace(' ', '')}" for name, value in values.items()]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[object]:
    yield from started(monkeypatch, capsys)


def test_it_writes_a_codec_and_says_where(start, spoken, tmp_path):
    shape = given(SHAPE, "model") + given(QUANTIZER, "model.quantizer")
    small = ["crops.crop_s=0.25", "crops.rows=2", "codec_loss.n_ffts=[64]", "codec_loss.n_mels=[8]"]
    output = tmp_path / "run"
    arguments = ["debug=default", f"output={output}", f"data.root={spoken}", "trainer.progress=false"]
    ran = start(SCRIPT, *arguments, *small, *shape, *given(JUDGES, "discriminators"))
    assert ran.code == 0, ran.err[-3000:]
    assert ran.out.replace("\n", "") == f"codec: {output / 'model'}"
    model = load_codec_checkpoint(output / "model").model
    assert (model.codebooks, model.codebook_size, model.sample_rate) == (2, 12, 8000)


def test_what_is_wrong_is_said_in_a_line(start, spoken, tmp_path):
    arguments = ["debug=default", f"output={tmp_path / 'run'}", f"data.root={spoken}"]
    assert "freeze_encoder without start" in one_line(start(SCRIPT, "freeze_encoder=true", *arguments))
    assert "n_fft 1000, hop 280" in one_line(start(SCRIPT, "model.n_fft=1000", *arguments))
    assert "model.depth" in one_line(start(SCRIPT, "model.depth=3", *arguments))
