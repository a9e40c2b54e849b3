"""A Kokoro comes back from disk as it was, and other readers and damaged files are told apart."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from speech.errors import ModelError
from speech.models.checkpoint import KINDS, Storage, kind_of, load_checkpoint
from speech.models.codec_checkpoint import load_codec_checkpoint
from speech.models.kokoro import KokoroConfig, KokoroRequest
from speech.models.kokoro_checkpoint import KokoroCheckpoint, load_kokoro_checkpoint, save_kokoro_checkpoint
from speech.models.kokoro_voice import KokoroVoice
from speech.models.storage import KOKORO
from speech.text.symbol_table import SymbolTable
from tests.cli.calling import run
from tests.nn.kokoro.rows import well_conditioned
from tests.tiny_kokoro import tiny_kokoro, tiny_kokoro_config

SYMBOLS = SymbolTable({"a": 1, "ˈ": 23})


def tiny_checkpoint() -> KokoroCheckpoint:
    voice = torch.randn(5, 8, generator=torch.Generator().manual_seed(1))
    return KokoroCheckpoint(tiny_kokoro(), SYMBOLS, {"af_one": KokoroVoice(voice)}, {"note": "tiny"})


@pytest.fixture
def saved(tmp_path):
    save_kokoro_checkpoint(tmp_path / "k", tiny_checkpoint(), card="# tiny\n")
    return tmp_path / "k"


@pytest.mark.parametrize("storage", list(Storage))
def test_it_comes_back_as_it_was(tmp_path, storage):
    more, own = tmp_path / "source.md", tiny_checkpoint()
    more.write_text("source")
    save_kokoro_checkpoint(tmp_path / "k", own, card="# tiny\n", storage=storage, attached={"SOURCE.md": more})
    loaded = load_kokoro_checkpoint(tmp_path / "k")
    assert loaded.info == {"note": "tiny"}
    assert loaded.symbols == SYMBOLS
    assert loaded.model.config == own.model.config
    assert not loaded.model.training
    voice = own.voices["af_one"].styles
    assert torch.equal(loaded.voices["af_one"].styles, voice if storage == Storage.float32 else voice.half().float())
    assert {file.name for file in (tmp_path / "k").iterdir()} == {
        "config.json", "model.safetensors", "README.md", "SOURCE.md", "voices",
    }  # fmt: skip
    tolerance = {Storage.float32: 0.0, Storage.float16: 0.01, Storage.int8: 0.05, Storage.compact: 0.01}[storage]
    for name, tensor in own.model.state_dict().items():
        error = (loaded.model.state_dict()[name] - tensor).abs().max()
        assert error <= tolerance * tensor.abs().max(), name
    request = KokoroRequest(ids=[1, 23], style=own.voices["af_one"].styles[1])
    if storage == Storage.float32:
        for model in (own.model, loaded.model):
            well_conditioned(model.decoder.generator.stft)
        spoken, wanted = (model.speak([request])[0] for model in (loaded.model, own.model))
        assert torch.equal(spoken.durations, wanted.durations)
        torch.testing.assert_close(spoken.samples, wanted.samples, atol=1e-4, rtol=0)


def test_compact_it_says_nearly_the_same_in_less_than_half_of_float16(tmp_path):
    small = tiny_kokoro_config()
    albert, generator = replace(small.albert, dim=64, hidden=96), replace(small.generator, channels=32)
    config = replace(small, dim=64, albert=albert, decoder=replace(small.decoder, dim=48), generator=generator)
    torch.manual_seed(0)
    model, stranger = config.build().eval(), config.build().eval()
    with torch.no_grad():
        for one in (model, stranger):
            one.prosody.pitch.out.bias.fill_(200)
            one.prosody.duration.bias.fill_(-0.7)
    own, sizes = replace(tiny_checkpoint(), model=model), {}
    for storage in (Storage.float16, Storage.compact):
        save_kokoro_checkpoint(tmp_path / storage, own, card="# wide\n", storage=storage)
        sizes[storage] = (tmp_path / storage / "model.safetensors").stat().st_size
    assert sizes[Storage.compact] < 0.45 * sizes[Storage.float16]
    loaded = load_kokoro_checkpoint(tmp_path / Storage.compact)
    said = []
    for one, voices in ((model, own.voices), (loaded.model, loaded.voices), (stranger, own.voices)):
        well_conditioned(one.decoder.generator.stft)
        said += one.speak([KokoroRequest(ids=[1, 3, 2, 4, 1, 2], style=voices["af_one"].styles[3])])
    assert torch.equal(said[0].durations, said[1].durations)
    alike = torch.corrcoef(torch.stack([one.samples for one in said]))[0]
    assert alike[1] > 0.98
    assert alike[2] < 0.9


def test_its_kind_is_in_the_closed_table(saved):
    assert kind_of(saved) == KOKORO
    assert KINDS[KOKORO] is KokoroConfig


def test_it_is_told_apart_from_other_kinds(saved, checkpoint):
    with pytest.raises(ModelError, match="It speaks: use a model that recognises speech"):
        load_checkpoint(saved)
    with pytest.raises(ModelError, match="Use a codec"):
        load_codec_checkpoint(saved)
    with pytest.raises(ModelError, match=r"kind 'owsm_ctc'; expected 1, 'kokoro'\. Use a Kokoro"):
        load_kokoro_checkpoint(checkpoint)


def test_it_describes_itself(saved):
    said = run("models", saved).stdout
    assert "kind          kokoro" in said
    assert "24000 Hz" in said
    assert "2, at most 18 at once" in said
    assert "voices        af_one" in said
    assert "adapters" not in said


def test_what_is_wrong_is_named(saved):
    record = json.loads((saved / "config.json").read_text())
    changes = [
        ({"model": record["model"] | {"depth": 3}}, "wrong or missing key"),
        ({"model": record["model"] | {"kernel": 4}}, "an odd kernel"),
        ({"model": record["model"] | {"albert": {"layer": 3}}}, "wrong or missing key"),
        ({"symbols": {}}, "no table of symbols"),
        ({"symbols": {"a": 24}}, "number 24, the model 24 symbols"),
        ({"symbols": {"aa": 1}}, "symbol 'aa'"),
    ]
    for change, message in changes:
        (saved / "config.json").write_text(json.dumps(record | change))
        with pytest.raises(ModelError, match=message) as error:
            load_kokoro_checkpoint(saved)
        assert "config.json" in str(error.value)
    (saved / "config.json").write_text(json.dumps(record))
    tensors = load_file(saved / "model.safetensors")
    save_file({**tensors, "extra": torch.zeros(1)}, saved / "model.safetensors")
    with pytest.raises(ModelError, match="extra"):
        load_kokoro_checkpoint(saved)
    (saved / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"has no model\.safetensors"):
        load_kokoro_checkpoint(saved)


def test_what_would_not_load_is_not_written(tmp_path):
    own = tiny_checkpoint()
    for voices, symbols, message in (
        ({"x": KokoroVoice(torch.ones(5, 9))}, SYMBOLS, "voice x: has shape"),
        ({"x": KokoroVoice(torch.ones(5, 8), torch.ones(2, 3))}, SYMBOLS, "voice x: has norms of shape"),
        ({"../x": KokoroVoice(torch.ones(5, 8))}, SYMBOLS, "no name of a voice"),
        ({}, SymbolTable({"a": 30}), "number 30"),
    ):
        with pytest.raises(ModelError, match=message):
            save_kokoro_checkpoint(tmp_path / "k", KokoroCheckpoint(own.model, symbols, voices, {}), card="")
        assert not (tmp_path / "k").exists()
