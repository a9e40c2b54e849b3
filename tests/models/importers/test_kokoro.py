"""Published Kokoro files become ours: numbers of the published package, and errors that name file and key."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from speech.errors import FileError, ModelError
from speech.models.importers.kokoro import build_kokoro, import_kokoro, is_kokoro
from speech.models.kokoro import KokoroRequest
from speech.nn.kokoro.harmonic_source import HARMONICS
from tests.parity.kokoro_golden import IDS, SEED, STRIDE
from tests.published_kokoro import (
    GOLDEN,
    GOLDEN_FILE,
    GOLDEN_WIDTHS,
    SETTINGS,
    WIDTHS,
    published_tensors,
    voice,
    write_kokoro,
)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    return write_kokoro(tmp_path_factory.mktemp("kokoro") / "model")


@pytest.fixture
def changed(published, tmp_path):
    """A copy to be damaged."""
    return shutil.copytree(published, tmp_path / "copy")


@pytest.fixture(scope="module")
def golden():
    """What the published package made of the same tensors, and our model of them."""
    parts = published_tensors(GOLDEN, GOLDEN_WIDTHS)
    return load_file(GOLDEN_FILE), build_kokoro(GOLDEN, "config.json", parts, "weights", {}).model


def outputs(model, noise=None, excitation=None, spectra=None):
    """Outputs of our layers for the golden text; `excitation` replaces that of the harmonic source, and `spectra` those
    of the excitation."""
    found = {}

    def watch(name, module, replaced=None):
        def hook(module, inputs, output):
            found[name] = output[0].clone()
            return replaced

        return module.register_forward_hook(hook)

    hooks = [
        watch("albert", model.albert),
        watch("prosody", model.prosody.encoder),
        watch("text", model.text_encoder),
        watch("decoded", model.decoder.blocks[-1]),
        watch("pitch", model.prosody.pitch),
        watch("energy", model.prosody.energy),
        watch("excitation", model.decoder.generator.source, excitation),
        watch("spectra", model.decoder.generator.stft, spectra),
    ]
    symbols, style = torch.tensor([[0, *IDS, 0]]), voice(GOLDEN)[:1]
    lengths = torch.tensor([symbols.shape[1]])
    with torch.no_grad():
        durations = model.predict(symbols, lengths, style, torch.ones(1))
        found["samples"] = model.render(symbols, lengths, durations, style, noise)[0]
    for hook in hooks:
        hook.remove()
    return found | {"durations": durations.frames[0]}


def bins(spectra):
    """The complex bins of magnitudes and phases."""
    return torch.polar(*spectra.chunk(2, dim=0))


def test_layers_and_samples_are_those_of_the_published_package(golden):
    """The excitation is injected, and so are its spectra: the phase of nearly empty bins turns on the last bits of the
    frequencies, and on the processor."""
    expected, model = golden
    found = outputs(model, None, expected["excitation"][None], expected["spectra"][None])
    assert torch.equal(found["durations"], expected["durations"])
    assert len(set(expected["durations"].tolist())) > 1
    torch.testing.assert_close(found["text"].T, expected["text"], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found["decoded"][::STRIDE], expected["decoded"], atol=1e-4, rtol=1e-4)
    for name in ("pitch", "energy", "albert", "prosody"):
        theirs = expected[name][0] if name in ("pitch", "energy") else expected[name]
        torch.testing.assert_close(found[name], theirs, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found["excitation"], expected["excitation"], atol=1e-3, rtol=0)
    torch.testing.assert_close(bins(found["spectra"]), bins(expected["spectra"]), atol=1e-4, rtol=0)
    torch.testing.assert_close(found["samples"], expected["samples"], atol=1e-4, rtol=0)
    assert found["samples"].abs().max() > 0.1


def test_the_noise_of_the_excitation_is_that_of_the_published_package(golden):
    expected, model = golden
    count = len(expected["noisy.samples"])
    noise = torch.randn(count, HARMONICS, generator=torch.Generator().manual_seed(SEED))[None]
    found = outputs(model, noise, expected["noisy.excitation"][None], expected["noisy.spectra"][None])
    torch.testing.assert_close(found["excitation"], expected["noisy.excitation"], atol=1e-3, rtol=0)
    assert (expected["noisy.excitation"] - expected["excitation"]).abs().max() > 1e-3
    torch.testing.assert_close(bins(found["spectra"]), bins(expected["noisy.spectra"]), atol=1e-4, rtol=0)
    torch.testing.assert_close(found["samples"], expected["noisy.samples"], atol=1e-4, rtol=0)
    spoken = model.speak([KokoroRequest(ids=IDS, style=voice(GOLDEN)[0], seed=SEED)])[0]
    assert len(spoken.samples) == count
    assert spoken.durations.tolist() == expected["durations"].tolist()


def test_files_are_recognised(published, tmp_path):
    assert is_kokoro(published)
    assert not is_kokoro(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "whisper"}')
    assert not is_kokoro(tmp_path)


def test_settings_symbols_and_voices_are_read(published):
    checkpoint = import_kokoro(published)
    config = checkpoint.model.config
    assert (config.decoder.dim, config.decoder.text_dim, config.decoder.blocks) == (*WIDTHS, 4)
    assert (config.generator.rates, config.generator.n_fft) == ([2, 3], 8)
    assert (config.albert.embedding, config.albert.layers) == (6, 3)
    assert checkpoint.symbols.numbers == SETTINGS["vocab"]
    assert list(checkpoint.voices) == ["af_one", "bm_two"]
    assert torch.equal(checkpoint.voices["af_one"].styles, voice(SETTINGS, 1))
    assert torch.equal(checkpoint.voices["bm_two"].styles, voice(SETTINGS, 2))
    assert not checkpoint.model.training


def test_a_prefix_of_data_parallel_training_is_dropped(published, tmp_path):
    other = import_kokoro(write_kokoro(tmp_path / "prefixed", prefix="module."))
    for name, tensor in import_kokoro(published).model.state_dict().items():
        assert torch.equal(tensor, other.model.state_dict()[name])


def test_weights_are_direction_times_length():
    parts = published_tensors(SETTINGS, WIDTHS)
    model = build_kokoro(SETTINGS, "config.json", parts, "weights", {}).model
    theirs = parts["decoder"]
    direction, length = theirs["generator.ups.0.weight_v"], theirs["generator.ups.0.weight_g"]
    expected = direction * length / direction.flatten(1).norm(dim=1)[:, None, None]
    torch.testing.assert_close(model.decoder.generator.stages[0].up.weight, expected)


def rewritten(folder, change):
    path = folder / "kokoro-v1_0.pth"
    parts = torch.load(path, weights_only=True)
    change(parts)
    torch.save(parts, path)
    return folder


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p["predictor"].pop("F0_proj.bias"), r"prosody\.pitch\.out\.bias"),
        (lambda p: p["decoder"].pop("encode.conv1.weight_g"), r"decoder\.encode\.conv1\.weight_g is missing"),
        (lambda p: p["bert"].pop("embeddings.token_type_embeddings.weight"), "token_type_embeddings.weight is missing"),
        (lambda p: p["decoder"].update(strange=torch.ones(2)), r"unknown: decoder\.strange"),
        (lambda p: p.update(diffusion={}), "holds bert, .*diffusion"),
        (lambda p: p.pop("bert"), "expected bert, "),
        (lambda p: p["bert_encoder"].update(bias=torch.ones(3)), r"projection\.bias \(3,\), expected \(12,\)"),
        (lambda p: p["decoder"].update({"encode.norm1.norm.weight": torch.full((14,), 2.0)}), "not 1 everywhere"),
        (lambda p: p["bert_encoder"].update(bias=torch.full((12,), torch.nan)), "not finite"),
        (lambda p: p["decoder"].pop("asr_res.0.bias"), r"decoder\.text\.bias"),
        (lambda p: p["text_encoder"].update({"cnn.0.0.weight_g": torch.ones(5, 1, 1)}), "do not fit"),
    ],
)
def test_tensors_that_do_not_fit_are_named(changed, change, message):
    with pytest.raises(ModelError, match=message) as error:
        import_kokoro(rewritten(changed, change))
    assert "kokoro-v1_0.pth" in str(error.value)


def test_affine_weights_that_do_nothing_are_left_out(changed, published):
    ones = {"encode.norm1.norm.weight": torch.ones(14), "encode.norm1.norm.bias": torch.zeros(14)}
    model = import_kokoro(rewritten(changed, lambda p: p["decoder"].update(ones))).model
    assert len(model.state_dict()) == len(import_kokoro(published).model.state_dict())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_token": None}, r"n_token is \[None\], expected whole numbers"),
        ({"vocab": {"ab": 1}}, "symbol 'ab'"),
        ({"vocab": {"a": 24}}, "number 24, the model 24 symbols"),
        ({"vocab": []}, "no table of symbols"),
        ({"style_dim": "4"}, "style_dim is"),
        ({"plbert": {**SETTINGS["plbert"], "hidden_act": "relu"}}, r"plbert\.hidden_act is 'relu'"),
        (
            {"istftnet": {**SETTINGS["istftnet"], "resblock_dilation_sizes": [[1, 3, 5], [1, 3, 7]]}},
            "not all the same",
        ),
        ({"istftnet": {**SETTINGS["istftnet"], "upsample_rates": [2]}}, r"model\.generator\.rates \[2\]"),
    ],
)
def test_settings_that_do_not_fit_are_named(changed, change, message):
    (changed / "config.json").write_text(json.dumps(SETTINGS | change))
    with pytest.raises(ModelError, match=message) as error:
        import_kokoro(changed)
    assert "config.json" in str(error.value)


def test_files_that_do_not_fit_are_named(changed, tmp_path):
    (changed / "voices" / "short.bin").write_bytes(bytes(5))
    with pytest.raises(ModelError, match=r"short\.bin: has 5 bytes, expected a multiple of 32"):
        import_kokoro(changed)
    (changed / "voices" / "short.bin").unlink()
    torch.save(torch.ones(5, 1, 9), changed / "voices" / "wide.pt")
    with pytest.raises(ModelError, match=r"wide\.pt: has shape \(5, 9\), expected \(rows, 8\)"):
        import_kokoro(changed)
    (changed / "voices" / "wide.pt").unlink()
    torch.save(voice(SETTINGS, 3)[:, None], changed / "voices" / "bm_two.pt")
    with pytest.raises(ModelError, match=r"bm_two\.pt: differs"):
        import_kokoro(changed)
    (changed / "voices" / "bm_two.pt").unlink()
    (changed / "kokoro-v1_0.pth").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="is no file of tensors"):
        import_kokoro(changed)
    (changed / "kokoro-v1_0.pth").unlink()
    with pytest.raises(ModelError, match=r"has no \*\.pth and no \*\.onnx"):
        import_kokoro(changed)
    with pytest.raises(ModelError, match=r"config\.json: is missing"):
        import_kokoro(tmp_path)


def test_pickles_are_not_executed(changed):
    class Attack:
        def __reduce__(self):
            return (FileError, ("executed",))

    torch.save({"bert": Attack()}, changed / "kokoro-v1_0.pth")
    with pytest.raises(ModelError, match="is no file of tensors"):
        import_kokoro(changed)
