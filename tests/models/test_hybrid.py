"""Both halves of a hybrid come back, and whoever wants the CTC model alone has it."""

import copy
import json
import shutil
from dataclasses import replace

import pytest
import torch

from speech import Recognizer
from speech.errors import ModelError
from speech.models.adapters.file import fingerprint
from speech.models.checkpoint import (
    SHARED,
    Checkpoint,
    LabelCheckpoint,
    Storage,
    load_checkpoint,
    load_label_checkpoint,
    save_checkpoint,
)
from speech.models.hybrid import Hybrid, is_hybrid, load_hybrid, save_beside_label, save_hybrid
from speech.models.owsm_ctc import OwsmCtc
from speech.nn.encoder.whisper import WhisperEncoderConfig
from speech.recognize.request import Request
from speech.tensors import load_tensors
from tests.conftest import small_whisper
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


@pytest.fixture(scope="module")
def sharing(tokenizer) -> Hybrid:
    """Both halves on the same convolutions and first layer, as eight bits round them in one of the two."""
    label = tiny_whisper()
    torch.manual_seed(1)
    encoder = WhisperEncoderConfig(bins=80, dim=32, layers=3, heads=4, hidden=64, period=None, prefix_after=1)
    model = OwsmCtc(replace(small_whisper(), encoder=encoder), tokenizer.vocabulary).eval()
    for mine, theirs in (
        (model.encoder.subsampling, label.encoder.subsampling),
        (model.encoder.layers[0], label.encoder.layers[0]),
    ):
        mine.load_state_dict({name: t * (1 + 1e-3) for name, t in theirs.state_dict().items()})
    return Hybrid(Checkpoint(model, tokenizer, {}), LabelCheckpoint(label, tiny_label_tokenizer(), {}))


@pytest.mark.parametrize("storage", list(Storage))
@torch.inference_mode()
def test_layers_that_both_halves_have_lie_on_disk_once(sharing, tmp_path, storage):
    assert sharing.same_layers() == 1
    save_hybrid(tmp_path / "m", sharing, card="", label_card="", storage=storage)
    stored = load_tensors(tmp_path / "m" / "model.safetensors")
    assert not any(name.startswith(("encoder.subsampling.", "encoder.layers.0.")) for name in stored)
    for found in (load_hybrid(tmp_path / "m").ctc.model, load_checkpoint(tmp_path / "m").model):
        label = load_label_checkpoint(tmp_path / "m" / "label").model
        for name, tensor in found.encoder.layers[0].state_dict().items():
            assert torch.equal(tensor, label.encoder.layers[0].state_dict()[name])
    assert load_hybrid(tmp_path / "m").shared_layers == 1
    save_beside_label(tmp_path / "beside", load_checkpoint(tmp_path / "m"), tmp_path / "m", card="")
    beside = load_hybrid(tmp_path / "beside")
    assert beside.shared_layers == 1
    assert torch.equal(beside.ctc.model.encoder.norm.weight, sharing.ctc.model.encoder.norm.weight)
    known = fingerprint(tmp_path / "m")
    with (tmp_path / "m" / "label" / "encoder.safetensors").open("ab") as file:
        file.write(b" ")
    assert fingerprint(tmp_path / "m") != known


@torch.inference_mode()
def test_what_both_halves_hear_is_computed_once(sharing, tmp_path):
    save_hybrid(tmp_path / "m", sharing, card="", label_card="")
    found = load_hybrid(tmp_path / "m")
    model, label = found.ctc.model, found.label.model
    samples = torch.randn(1, 24000, generator=torch.Generator().manual_seed(0)) * 0.1
    lengths, prefix = torch.tensor([24000]), torch.tensor([[1, 2]])
    half = label.lower(samples, lengths, found.shared_layers)
    for ours, theirs in zip(label.upper(half), label.encode(samples, lengths), strict=True):
        assert torch.equal(ours, theirs)
    own = model.encode(*model.features(samples, lengths), prefix)
    shared = model.behind(half.x, half.lengths, prefix)
    assert own.lengths.tolist() == shared.lengths.tolist()
    torch.testing.assert_close(own.x, shared.x, atol=1e-5, rtol=1e-5)


def test_layers_that_differ_are_not_shared(sharing, tokenizer, tmp_path):
    other = copy.deepcopy(sharing.ctc.model)
    with torch.no_grad():
        other.encoder.layers[0].attention.query.weight.mul_(1.1)
    hybrid = replace(sharing, ctc=Checkpoint(other, tokenizer, {}))
    assert hybrid.same_layers() == 0
    save_hybrid(tmp_path / "m", hybrid, card="", label_card="")
    weight = load_hybrid(tmp_path / "m").ctc.model.encoder.layers[0].attention.query.weight
    assert torch.equal(weight, other.encoder.layers[0].attention.query.weight)


@pytest.mark.parametrize("value", [2, -1, True, "1"])
def test_a_wrong_number_of_shared_layers_is_refused(sharing, tmp_path, value):
    save_hybrid(tmp_path / "m", sharing, card="", label_card="")
    record = json.loads((tmp_path / "m" / "config.json").read_text())
    (tmp_path / "m" / "config.json").write_text(json.dumps({**record, SHARED: value}))
    with pytest.raises(ModelError, match=r"shared_layers is .*, expected 0 or 1"):
        load_hybrid(tmp_path / "m")
