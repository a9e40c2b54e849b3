"""A speech language model comes back from disk as it was, in any precision, and is told apart from other models."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from speech.choices import Storage
from speech.decode.sampling.sampler import Sampler, SamplingConfig
from speech.errors import ModelError
from speech.models.aligned_ar import AlignedConfig
from speech.models.aligned_generation import generate_aligned
from speech.models.checkpoint import KINDS, kind_of, load_checkpoint
from speech.models.codec_checkpoint import CodecCheckpoint, load_codec_checkpoint, save_codec_checkpoint
from speech.models.dual_ar import DualArConfig
from speech.models.generation import generate
from speech.models.letter_phonemes_checkpoint import load_letter_phonemes_checkpoint
from speech.models.precision import Precision, with_precision
from speech.models.speech_lm_checkpoint import (
    PRONUNCIATION_FOLDER,
    SpeechLmCheckpoint,
    load_own_codec,
    load_speech_lm_checkpoint,
    save_speech_lm_checkpoint,
)
from speech.models.speech_lm_checkpoint import SPEAKERS as SPEAKERS_FILE
from speech.models.speech_prompt import speech_prompt
from speech.models.storage import ALIGNED_AR, DUAL_AR
from speech.nn.cpu.int8 import int8_runs
from speech.tensors import save_tensors
from tests.cli.calling import run
from tests.tiny_aligned_ar import VOCABULARY as SYMBOLS
from tests.tiny_aligned_ar import aligned_prompt, tiny_aligned_ar, tiny_aligned_config
from tests.tiny_codec import tiny_codec
from tests.tiny_dual_ar import tiny_dual_ar, tiny_dual_ar_config, tiny_vocabulary
from tests.tiny_voice import SPEAKERS, save_tiny_voice

needs_kernels = pytest.mark.skipif(not int8_runs(), reason="needs the quantised kernels of x86")
SHAPES = [
    {},
    {"tied": True, "speaker_dim": 3, "fast": {"kind": "parallel"}},
    {"slow": {"rope_dtype": "bfloat16", "qkv_bias": True}, "first_in_tokens": False, "fast": {"shared": True}},
]


def saved(folder, more=SHAPES[0], **options):
    model = tiny_dual_ar(tiny_dual_ar_config(**more))
    checkpoint = SpeechLmCheckpoint(model, tiny_vocabulary(model.config), {"note": "tiny"})
    save_speech_lm_checkpoint(folder, checkpoint, card="# tiny\n", **options)
    return checkpoint


def hidden(model, vocabulary):
    return model.begin([speech_prompt(vocabulary, "hello", "eng", 2)]).hidden


@pytest.mark.parametrize("more", SHAPES, ids=str)
@pytest.mark.parametrize("storage", list(Storage))
def test_it_comes_back_as_it_was(tmp_path, storage, more):
    checkpoint = saved(tmp_path / "m", more, storage=storage)
    loaded = load_speech_lm_checkpoint(tmp_path / "m")
    assert loaded.info == {"note": "tiny"}
    assert loaded.vocabulary == checkpoint.vocabulary
    assert loaded.model.config == checkpoint.model.config
    assert not loaded.model.training
    assert {file.name for file in (tmp_path / "m").iterdir()} == {"config.json", "model.safetensors", "README.md"}
    wanted, found = (hidden(one.model, checkpoint.vocabulary) for one in (checkpoint, loaded))
    tolerance = {Storage.float32: 0.0, Storage.float16: 0.01, Storage.int8: 0.1, Storage.compact: 0.3}[storage]
    assert (found - wanted).abs().mean() <= tolerance * wanted.abs().mean()


@needs_kernels
@pytest.mark.parametrize("more", SHAPES, ids=str)
def test_stored_in_eight_bits_it_runs_in_eight_bits_near_float32(tmp_path, more):
    checkpoint = saved(tmp_path / "m", more, storage=Storage.int8)
    stored = load_speech_lm_checkpoint(tmp_path / "m", as_stored=True).model
    assert stored.slow.layers[0].attention.qkv.weight.is_quantized
    model = with_precision(stored, Precision.int8)
    wanted, found = (hidden(one, checkpoint.vocabulary) for one in (checkpoint.model, model))
    assert 0 < (found - wanted).square().mean().sqrt() < 0.1 * wanted.square().mean().sqrt()
    prompts = [speech_prompt(checkpoint.vocabulary, "hello", "eng", 2)]
    (said,) = generate(model, prompts, [Sampler(SamplingConfig())])
    assert said.codes.shape[0] == 2


def test_a_loaded_model_can_be_trained_on(tmp_path):
    saved(tmp_path / "m")
    model = load_speech_lm_checkpoint(tmp_path / "m").model
    x = model(torch.tensor([[0, 265, 266]]), torch.ones(1, 2, 3, dtype=torch.int64))[0]
    scores = model.scores(x, torch.arange(3), torch.ones(3, 2, dtype=torch.int64))
    (scores.tokens.square().sum() + scores.codes.square().sum()).backward()
    assert all(p.grad is not None for p in model.parameters())


def test_the_codec_lies_beside_it(tmp_path):
    save_codec_checkpoint(tmp_path / "c", CodecCheckpoint(tiny_codec(), {}), card="# codec\n")
    saved(tmp_path / "m", codec=tmp_path / "c")
    codec = load_own_codec(tmp_path / "m").model
    assert codec.config == tiny_codec().config
    saved(tmp_path / "m")
    with pytest.raises(ModelError, match="has no folder codec: its codes cannot be heard"):
        load_own_codec(tmp_path / "m")


def test_its_kind_is_in_the_closed_table_and_other_readers_say_what_it_is(tmp_path, checkpoint):
    saved(tmp_path / "m")
    assert kind_of(tmp_path / "m") == DUAL_AR
    assert KINDS[DUAL_AR] is DualArConfig
    with pytest.raises(ModelError, match="It speaks: use a model that recognises speech"):
        load_checkpoint(tmp_path / "m")
    with pytest.raises(ModelError, match="Use a codec"):
        load_codec_checkpoint(tmp_path / "m")
    with pytest.raises(ModelError, match="Use a speech language model"):
        load_speech_lm_checkpoint(checkpoint)


@pytest.mark.parametrize("storage", list(Storage))
def test_an_aligned_model_comes_back_as_it_was(tmp_path, storage):
    model = tiny_aligned_ar(tiny_aligned_config(speaker_dim=3, text={"layers": 2}, fast={"kind": "parallel"}))
    saved_one = SpeechLmCheckpoint(model, SYMBOLS, {"note": "tiny"})
    save_speech_lm_checkpoint(tmp_path / "m", saved_one, card="# tiny\n", storage=storage)
    assert kind_of(tmp_path / "m") == ALIGNED_AR
    assert KINDS[ALIGNED_AR] is AlignedConfig
    loaded = load_speech_lm_checkpoint(tmp_path / "m")
    assert loaded.model.config == model.config
    assert loaded.vocabulary == SYMBOLS
    wanted, found = (one.begin([aligned_prompt(model, "abcd")]).text.rows[0].current for one in (model, loaded.model))
    tolerance = {Storage.float32: 1e-6, Storage.float16: 0.01, Storage.int8: 0.1, Storage.compact: 0.1}[storage]
    assert (found - wanted).abs().mean() <= tolerance * wanted.abs().mean()
    with pytest.raises(ModelError, match="It speaks: use a model that recognises speech"):
        load_checkpoint(tmp_path / "m")
    said = run("models", tmp_path / "m").stdout
    assert "kind          aligned_ar" in said
    assert "look-ahead    4 symbols" in said
    assert "deu eng, by symbols" in said
    if storage == Storage.int8 and int8_runs():
        stored = with_precision(load_speech_lm_checkpoint(tmp_path / "m", as_stored=True).model, Precision.int8)
        prompt = aligned_prompt(model, "abcd", frames=[2.0] * 4)
        (spoken,) = generate_aligned(stored, [prompt], [Sampler(SamplingConfig())])
        assert spoken.codes.shape == (3, 8)


def test_speakers_and_pronunciations_lie_beside_it(tmp_path):
    loaded = load_speech_lm_checkpoint(save_tiny_voice(tmp_path / "v"))
    assert list(loaded.speakers) == ["ann", "ben"]
    for name, own in loaded.speakers.items():
        assert own.language == SPEAKERS[name].language
        assert torch.equal(own.embedding, SPEAKERS[name].embedding)
    knows = load_letter_phonemes_checkpoint(tmp_path / "v" / PRONUNCIATION_FOLDER).model
    assert knows.vocabulary.languages == ("deu", "eng")


def test_speakers_that_do_not_fit_are_named(tmp_path):
    folder = save_tiny_voice(tmp_path / "v")
    save_tensors(folder / SPEAKERS_FILE, {"ann": torch.ones(3), "ben": torch.ones(2)})
    with pytest.raises(ModelError, match=r"speaker ben has shape \(2,\), expected \(3,\)"):
        load_speech_lm_checkpoint(folder)
    save_tensors(folder / SPEAKERS_FILE, {"ann": torch.ones(3)})
    with pytest.raises(ModelError, match="other speakers than in its record"):
        load_speech_lm_checkpoint(folder)
    (folder / SPEAKERS_FILE).unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        load_speech_lm_checkpoint(folder)


def test_it_describes_itself(tmp_path):
    saved(tmp_path / "m")
    said = run("models", tmp_path / "m").stdout
    assert "kind          dual_ar" in said
    assert "2 of 12 per frame" in said
    assert "speaks        deu eng, by bytes" in said
    assert "codec         none" in said


def test_what_is_wrong_is_named(tmp_path):
    saved(tmp_path)
    record = json.loads((tmp_path / "config.json").read_text())
    for part, change, message in (
        ("model", {"depth": 3}, "wrong or missing key"),
        ("model", {"fast": {}}, "wrong or missing key: 'rope_dtype'"),
        ("model", {"max_frames": 96}, "max_frames 96"),
        ("vocabulary", {"unit": "words"}, "in vocabulary: 'words'"),
        ("vocabulary", {"frames": 3}, "3 frame tokens; the model has 12"),
        ("vocabulary", {"languages": ["deu"]}, "tensors are missing, unknown or of another size"),
    ):
        (tmp_path / "config.json").write_text(json.dumps(record | {part: record[part] | change}))
        with pytest.raises(ModelError, match=message):
            load_speech_lm_checkpoint(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(record))
    save_file({**load_file(tmp_path / "model.safetensors"), "extra": torch.zeros(1)}, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match="extra"):
        load_speech_lm_checkpoint(tmp_path)
