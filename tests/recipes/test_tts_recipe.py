"""`recipes/tts/`: from recordings to a codec, from its codes to a model that speaks, as the scripts are called."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from speech.data.manifest import Utterance, read_manifest, write_manifest
from speech.decode.sampling.sampler import Sampler, SamplingConfig
from speech.models.aligned_ar import AlignedAr
from speech.models.aligned_generation import generate_aligned
from speech.models.aligned_lm import AlignedPrompt
from speech.models.codec import CodecConfig
from speech.models.codec_checkpoint import CodecCheckpoint, save_codec_checkpoint
from speech.models.generation import generate
from speech.models.speech_lm_checkpoint import load_own_codec, load_speech_lm_checkpoint
from speech.models.speech_prompt import speech_prompt
from speech.nn.codec.gfsq import GfsqConfig
from speech.tensors import save_tensors
from tests.recipes.starting import one_line, started
from tests.recipes.test_codec_recipe import given
from tests.tiny_codec import QUANTIZER
from tests.tiny_dual_ar import FAST, SLOW

CORPUS = Path(__file__).parents[2] / "corpus"
SAID = 8
CODEC = {
    "sample_rate": 8000, "hop": 160, "n_fft": 640, "n_mels": 16, "factor": 4, "kernel": 3, "encoder_dim": 16,
    "encoder_layers": 1, "dim": 16, "layers": 1, "decoder_dim": 16, "decoder_layers": 1,
}  # fmt: skip
"""Frames of 80 ms."""


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[object]:
    yield from started(monkeypatch, capsys)


def spread(utterances: list[Utterance]) -> list[Utterance]:
    """Recordings of .5 to 4 s, evenly from short to long."""
    ordered = sorted((u for u in utterances if 0.5 < u.duration_s < 4), key=lambda u: u.duration_s)
    return ordered[:: len(ordered) // SAID][:SAID]


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few recordings of the corpus, which are learned by heart; dev are the same."""
    root = tmp_path_factory.mktemp("few")
    chosen = spread(read_manifest(CORPUS / "train.jsonl"))
    for part in ("train", "dev", "test"):
        write_manifest(chosen, root / f"{part}.jsonl")
    return root


def test_what_was_trained_speaks_as_long_as_it_heard(start, few, tmp_path):
    usual = [f"data.root={few}", "trainer.progress=false", "trainer.average=0", "trainer.precision=float32"]
    codec = tmp_path / "codec"
    small = ["crops.crop_s=0.32", "crops.rows=4", "codec_loss.n_ffts=[256]", "codec_loss.n_mels=[16]"]
    quick = ["trainer.max_steps=20", "trainer.validate_every=20", "trainer.checkpoint_every=20"]
    shape = given(CODEC, "model") + given(QUANTIZER, "model.quantizer")
    ran = start("tts/train_codec.py", f"output={codec}", *usual, *quick, *small, *shape)
    assert ran.code == 0, ran.err[-3000:]

    output = tmp_path / "run"
    shape = given(SLOW | {"dim": 32, "hidden": 64}, "model.slow") + given(FAST, "model.fast")
    shape += ["model.positions=256", "model.max_frames=80"]
    packing = ["packing.places=384", "packing.rows=2", "packing.prompted=0.2", "fast_share=1.0"]
    rates = ["optimizer.lr=1e-2", "optimizer.warmup=10", "trainer.validate_every=60", "trainer.checkpoint_every=60"]
    arguments = ["tts/train.py", f"codec={codec / 'model'}", f"output={output}", *usual, *shape, *packing, *rates]
    ran = start(*arguments, "trainer.max_steps=60")
    assert ran.code == 0, ran.err[-3000:]
    ran = start(*arguments, "trainer.max_steps=120")  # goes on
    assert ran.code == 0, ran.err[-3000:]
    assert "resuming at step 60" in ran.err
    assert ran.out.replace("\n", "") == f"speech language model: {output / 'model'}"

    loaded, codec_model = load_speech_lm_checkpoint(output / "model"), load_own_codec(output / "model").model
    assert loaded.model.parameter_count < 60_000
    chosen = read_manifest(few / "train.jsonl")
    prompts = [speech_prompt(loaded.vocabulary, u.text, u.language, loaded.model.codebooks) for u in chosen]
    greedy = SamplingConfig(temperature=0.0, penalty=1.0)
    made = generate(loaded.model, prompts, [Sampler(greedy) for _ in chosen])
    close = 0
    for utterance, own in zip(chosen, made, strict=True):
        samples, lengths = codec_model.decode(own.codes[None], torch.tensor([own.codes.shape[1]]))
        assert int(lengths) == samples.shape[1] == max(own.codes.shape[1] * 640 - codec_model.delay_samples, 0)
        close += own.complete and abs(int(lengths) / 8000 - utterance.duration_s) < 0.25 * utterance.duration_s + 0.1
    assert close >= SAID - 2, [
        (u.duration_s, own.codes.shape[1] * 0.08, own.complete) for u, own in zip(chosen, made, strict=True)
    ]


def test_an_aligned_model_says_symbols_as_long_as_it_was_taught(start, few, tmp_path):
    """With durations made up from the recordings: each letter of a text lasts as long as the others."""
    codec = CodecConfig(**CODEC, quantizer=GfsqConfig(**QUANTIZER)).build().eval()
    save_codec_checkpoint(tmp_path / "codec", CodecCheckpoint(codec, {}), card="# codec\n")
    chosen = read_manifest(few / "train.jsonl")
    durations = {u.id: torch.full((len(u.text),), u.duration_s / len(u.text)) for u in chosen}
    for part in ("train", "dev"):
        save_tensors(tmp_path / "alignments" / f"{part}.safetensors", durations)
    output = tmp_path / "run"
    shape = given(SLOW, "model.slow") + given(FAST, "model.fast") + ["text_encoder.dim=16", "text.unit=symbols"]
    aligned = ["conditioner=aligned", f"alignments={tmp_path / 'alignments'}", "packing.places=128", "packing.rows=2"]
    steps = ["trainer.max_steps=30", "trainer.validate_every=30", "trainer.checkpoint_every=30", "optimizer.warmup=5"]
    usual = ["trainer.progress=false", "trainer.average=0", "trainer.precision=float32", "optimizer.lr=1e-2"]
    where = [f"codec={tmp_path / 'codec'}", f"output={output}", f"data.root={few}"]
    ran = start("tts/train.py", *where, *usual, *steps, *shape, *aligned)
    assert ran.code == 0, ran.err[-3000:]

    folder = output / "model"
    loaded, codec_model = load_speech_lm_checkpoint(folder), load_own_codec(folder).model
    model, vocabulary = loaded.model, loaded.vocabulary
    assert isinstance(model, AlignedAr)
    prompts = [AlignedPrompt(vocabulary.symbol_tokens(u.text), vocabulary.language_token(u.language)) for u in chosen]
    told = [prompt._replace(frames=[1.25] * len(prompt.symbols)) for prompt in prompts[::3]]
    for prompt, own in zip(told, generate_aligned(model, told, [Sampler(SamplingConfig()) for _ in told]), strict=True):
        assert own.complete
        assert own.codes.shape[1] == sum(own.said.frame_counts) == int(1.25 * len(prompt.symbols) + 0.5)
        samples, lengths = codec_model.decode(own.codes[None], torch.tensor([own.codes.shape[1]]))
        assert int(lengths) == samples.shape[1] == max(own.codes.shape[1] * 640 - codec_model.delay_samples, 0)
    (free,) = generate_aligned(model, prompts[-1:], [Sampler(SamplingConfig())])
    assert len(free.said.frame_counts) == len(chosen[-1].text)
    said_s = 0.0
    for prompt in prompts:
        symbols = torch.tensor([list(prompt.symbols)])
        log_frames = model.text(symbols, torch.full_like(symbols, prompt.language), torch.zeros_like(symbols), None)[1]
        said_s += float(log_frames.detach().exp().sum()) * model.frame_s
    assert abs(said_s - sum(u.duration_s for u in chosen)) < 0.25 * said_s


def test_what_is_wrong_is_said_in_a_line(start, few, tmp_path):
    arguments = ["debug=default", f"output={tmp_path / 'run'}", f"data.root={few}"]
    assert "codec is not set" in one_line(start("tts/train.py", *arguments))
    assert "no such model" in one_line(start("tts/train.py", "codec=nowhere", *arguments))
    assert "model.slow: heads 4, kv_heads 3" in one_line(
        start("tts/train.py", "codec=c", "model.slow.dim=32", "model.slow.heads=4", "model.slow.kv_heads=3", *arguments)
    )
    assert "conditioner aligned, alignments ''" in one_line(
        start("tts/train.py", "codec=c", "conditioner=aligned", *arguments)
    )
    assert "model.depth" in one_line(start("tts/train.py", "codec=c", "model.depth=3", *arguments))
    assert "same code for all codebooks" in one_line(
        start("tts/train.py", "codec=c", "model.fast.kind=parallel", "model.fast.shared=true", *arguments)
    )
