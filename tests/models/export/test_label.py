"""Exported label models say what the model says: frames, prompts, steps of reordered hypotheses, whole texts."""

import base64
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner

from speech.audio.input.files import load_audio
from speech.cli.export import export_model
from speech.decode.label.joint import JointConfig
from speech.errors import ModelError
from speech.models.checkpoint import LabelCheckpoint
from speech.models.export import onnx_files
from speech.models.export.label import export_label_onnx
from speech.models.export.onnx_files import open_onnx
from tests.conftest import CLIPS, read_manifest
from tests.tiny_hybrid import latin_whisper, save_tiny_hybrid
from tests.tiny_whisper import tiny_label_tokenizer

onnx = pytest.importorskip("onnx")
EXAMPLE = re.findall(
    r"```python\n(.*?)```", (Path(__file__).parents[3] / "docs" / "export.md").read_text("utf-8"), re.S
)


@pytest.fixture(scope="module")
def label() -> LabelCheckpoint:
    tokenizer = tiny_label_tokenizer()
    tokenizer._bytes[3] = b""  # published ones have a token of no bytes
    return LabelCheckpoint(latin_whisper(), tokenizer, {})


@pytest.fixture(scope="module")
def exported(label, tmp_path_factory):
    directory = tmp_path_factory.mktemp("onnx") / "exported"
    export_label_onnx(directory, label, name="small")
    return directory


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    return load_audio(read_manifest(CLIPS, check_files=True)[0].audio)


def encoded(directory, samples):
    """Frames, and what the decoder is told of them."""
    session = open_onnx(directory / "label_encoder.onnx")
    names = [output.name for output in session.get_outputs()]
    found = dict(zip(names, session.run(names, {"samples": samples[None]}), strict=True))
    return found.pop("frames"), found


@torch.inference_mode()
@pytest.mark.parametrize("length", [201, 319, 320, 321, 16_000, 23_456, 40_001])
def test_frames_of_any_length(label, exported, speech, length):
    samples = speech[4000 : 4000 + length]
    expected, lengths = label.model.encode(torch.from_numpy(samples[None]), torch.tensor([length]))
    frames, cross = encoded(exported, samples)
    assert frames.shape == (1, int(lengths[0]), 32)
    np.testing.assert_allclose(frames, expected, atol=1e-4)
    for number, (keys, values) in enumerate(label.model.begin(expected).cross, start=1):
        np.testing.assert_allclose(cross[f"cross_keys_{number}"], keys, atol=1e-4)
        np.testing.assert_allclose(cross[f"cross_values_{number}"], values, atol=1e-4)


@torch.inference_mode()
@pytest.mark.parametrize(("rows", "before"), [(1, ""), (5, ""), (5, " Es war.")])
def test_a_prompt_and_twenty_steps_with_rows_in_another_order(label, exported, speech, rows, before):
    model, generator = label.model, torch.Generator().manual_seed(rows)
    session = open_onnx(exported / "label_decoder.onnx")
    names, past = [o.name for o in session.get_outputs()], session.get_modelmeta().custom_metadata_map["state"]
    frames, lengths = model.encode(torch.from_numpy(speech[None]), torch.tensor([len(speech)]))
    _, cross = encoded(exported, speech)
    state = model.begin(frames, lengths)
    kept = {name: np.zeros((1, 4, 0, 8), np.float32) for name in past.split(",")}
    tokens = torch.tensor([label.tokenizer.prompt("deu", before=label.tokenizer.encode(before))])
    for step in range(21):
        x, state, attention = model.step(tokens, state, model.alignment_heads)
        found = dict(zip(names, session.run(names, {"tokens": tokens.numpy(), **kept, **cross}), strict=True))
        np.testing.assert_allclose(found["logits"], model.logits(x[:, -1]), atol=1e-4)
        np.testing.assert_allclose(found["attention"], attention, atol=1e-4)
        for number, (keys, values) in enumerate(state.past, start=1):
            np.testing.assert_allclose(found[f"next_past_keys_{number}"], keys, atol=1e-4)
            np.testing.assert_allclose(found[f"next_past_values_{number}"], values, atol=1e-4)
        picked = torch.randint(1 if step == 0 else rows, (rows,), generator=generator)
        state = state.select(picked)
        kept = {name: found[f"next_{name}"][picked.numpy()] for name in kept}
        tokens = torch.randint(256, (rows, 1), generator=generator)


def greedy(label: LabelCheckpoint, samples: np.ndarray, language: str) -> str:
    model, tokenizer = label.model, label.tokenizer
    state = model.begin(*model.encode(torch.from_numpy(samples[None]), torch.tensor([len(samples)])))
    never = sorted({*model.suppressed, *tokenizer.specials} - {tokenizer.end})
    tokens, text = tokenizer.prompt(language), list[int]()
    room = model.max_tokens - len(tokens)
    while len(text) < room:
        x, state, _ = model.step(torch.tensor([tokens]), state)
        logits = model.logits(x[0, -1])[: tokenizer.first_timestamp]
        logits[never if text else [*never, *model.suppressed_first, tokenizer.end]] = -torch.inf
        tokens = [int(logits.argmax())]
        if tokens[0] == tokenizer.end:
            break
        text += tokens
    return tokenizer.decode(text)


@torch.inference_mode()
def test_the_example_of_the_documentation_writes_the_models_text(
    label, exported, speech, tmp_path, monkeypatch, capsys
):
    [code] = [code for code in EXAMPLE if "label_decoder" in code]
    assert len(code.splitlines()) <= 32
    monkeypatch.chdir(tmp_path)
    (tmp_path / "onnx").symlink_to(exported)
    texts = set()
    for start in (0, 8000, 20_000):
        samples = speech[start:]
        np.save("samples.npy", samples)
        exec(compile(code, "docs/export.md", "exec"), {})
        expected = greedy(label, samples, "eng")
        assert capsys.readouterr().out.rstrip("\n") == expected
        texts.add(expected)
    assert len(max(texts, key=len)) > 5


def test_files_describe_themselves(label, exported):
    assert sorted(file.name for file in exported.iterdir()) == [
        "README.md", "label_decoder.onnx", "label_encoder.onnx", "label_tokens.txt",
    ]  # fmt: skip
    model, tokenizer = label.model, label.tokenizer
    lines = [line.split(" ") for line in (exported / "label_tokens.txt").read_text("utf-8").splitlines()]
    assert [int(number) for _, number in lines] == list(range(tokenizer.end))
    assert [base64.b64decode(text) for text, _ in lines] == [tokenizer.piece(n) for n in range(tokenizer.end)]
    heard, facts = (
        open_onnx(exported / f"label_{part}.onnx").get_modelmeta().custom_metadata_map
        for part in ("encoder", "decoder")
    )
    assert (heard["format"], facts["format"]) == ("speech-label-encoder-1", "speech-label-decoder-1")
    assert [float(heard["frame_s"]), int(heard["max_frames"])] == [0.02, 1500]
    assert json.loads(heard["log_mel"])["dynamic_range"] == 8.0
    assert json.loads(facts["languages"]) == tokenizer.languages
    keys = ("start", "transcribe", "translate", "end", "no_speech", "no_timestamps", "first_timestamp")
    assert [int(facts[key]) for key in keys] == [getattr(tokenizer, key) for key in keys]
    never = set(json.loads(facts["suppressed"]))
    assert {*model.suppressed, *tokenizer.specials, tokenizer.first_timestamp} - {tokenizer.end} <= never
    assert tokenizer.end not in never
    assert tokenizer.end in json.loads(facts["suppressed_first"])
    assert json.loads(facts["alignment_heads"]) == [list(head) for head in model.alignment_heads]
    assert "`start`, one of `languages`" in (exported / "README.md").read_text("utf-8")


def test_no_weight_lies_in_the_files_twice(label, exported):
    graphs = [onnx.load(exported / f"label_{part}.onnx").graph for part in ("encoder", "decoder")]
    numbers = sum(int(np.prod(tensor.dims)) for graph in graphs for tensor in graph.initializer)
    front_end = 2 * 201 * 400 + 201 * 80
    parameters = sum(parameter.numel() for parameter in label.model.parameters())
    assert numbers <= 1.02 * (parameters + front_end)


def test_a_wrong_graph_is_refused_and_nothing_stays(label, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_files, "TOLERANCE", -1.0)
    with pytest.raises(ModelError, match=r"label_encoder\.onnx: differs from the model by"):
        export_label_onnx(tmp_path / "exported", label, name="small")
    assert not list(tmp_path.iterdir())


def command(*arguments):
    app = typer.Typer()
    app.command()(export_model)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_command_writes_both_halves_of_a_hybrid(exported, speech, tmp_path):
    save_tiny_hybrid(tmp_path / "hybrid", JointConfig())
    result = command(tmp_path / "hybrid", "--to", tmp_path / "onnx")
    assert result.exit_code == 0, result.output
    assert sorted(file.name for file in (tmp_path / "onnx").iterdir()) == [
        "README.md", "label_decoder.onnx", "label_encoder.onnx", "label_tokens.txt", "model.onnx", "state.npz",
        "streaming.onnx", "tokens.txt",
    ]  # fmt: skip
    card = (tmp_path / "onnx" / "README.md").read_text("utf-8")
    assert "`streaming.onnx`" in card
    assert "`label_decoder.onnx`" in card
    np.testing.assert_allclose(encoded(tmp_path / "onnx", speech)[0], encoded(exported, speech)[0], atol=1e-6)
