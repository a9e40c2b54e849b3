"""Both halves of a hybrid come back, and whoever wants the CTC model alone has it."""

import shutil

import pytest
import torch

from speech import Recognizer
from speech.errors import ModelError
from speech.models.adapter_file import fingerprint
from speech.models.checkpoint import (
    Checkpoint,
    LabelCheckpoint,
    Storage,
    load_checkpoint,
    load_label_checkpoint,
    save_checkpoint,
)
from speech.models.hybrid import Hybrid, is_hybrid, load_hybrid, save_hybrid
from speech.stream.request import Request
from tests.tiny_whisper import tiny_label_tokenizer, tiny_whisper


@pytest.fixture(scope="module")
def path(model, tokenizer, tmp_path_factory):
    path = tmp_path_factory.mktemp("hybrid") / "both"
    ctc = Checkpoint(model, tokenizer, {"of": "ctc"})
    label = LabelCheckpoint(tiny_whisper(), tiny_label_tokenizer(), {"of": "label"})
    save_hybrid(path, Hybrid(ctc, label), card="# both\n", label_card="# label\n", storage=Storage.int8)
    return path


@torch.inference_mode()
def test_both_halves_come_back(path, model):
    found = load_hybrid(path)
    assert is_hybrid(path)
    assert (found.ctc.info, found.label.info) == ({"of": "ctc"}, {"of": "label"})
    assert found.ctc.tokenizer.vocabulary == model.vocabulary
    assert found.label.tokenizer.language_id("deu") == tiny_label_tokenizer().language_id("deu")
    assert found.label.model.config == tiny_whisper().config
    samples, lengths = torch.randn(1, 16000) * 0.1, torch.tensor([16000])
    given = *model.features(samples, lengths), torch.tensor([[1, 2]])
    torch.testing.assert_close(found.ctc.model(*given).log_probs, model(*given).log_probs, atol=0.3, rtol=0.1)
    frames = found.label.model.encode(samples, lengths)[0]
    assert (frames - tiny_whisper().encode(samples, lengths)[0]).abs().max() < 0.2
    stored = load_hybrid(path, as_stored=True)
    assert stored.ctc.model.ctc.linear.weight.dtype == stored.label.model.decoder.embed.weight.dtype == torch.qint8


def test_the_ctc_model_is_what_it_is_without_the_other(path, model, tokenizer, tmp_path, speech):
    save_checkpoint(tmp_path / "alone", model, tokenizer, info={"of": "ctc"}, card="", storage=Storage.int8)
    assert fingerprint(path) == fingerprint(tmp_path / "alone")
    found = load_checkpoint(path)
    assert found.info == {"of": "ctc"}
    texts = [
        Recognizer.from_pretrained(str(p))._read([[speech]], Request(("eng",), quick=True))[0].text
        for p in (path, tmp_path / "alone")
    ]
    assert texts[0] == texts[1]
    assert load_label_checkpoint(path / "label").info == {"of": "label"}


def test_without_its_label_model_it_is_refused(path, tmp_path, checkpoint):
    shutil.copytree(path, tmp_path / "m")
    shutil.rmtree(tmp_path / "m" / "label")
    assert is_hybrid(tmp_path / "m")
    assert not is_hybrid(checkpoint)
    with pytest.raises(ModelError, match=r"label: has no config\.json"):
        load_hybrid(tmp_path / "m")
    with pytest.raises(ModelError, match="kind 'owsm_ctc'; expected 1, 'hybrid'"):
        load_hybrid(checkpoint)
