"""Published OWSM-CTC directories are converted; what is not one is refused by name. Parity is in tests/parity."""

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import sentencepiece
import torch
import yaml
from conftest import TEXTS
from typer.testing import CliRunner

from speech.cli.app import app
from speech.errors import ModelError
from speech.models.checkpoint import build_empty, load_checkpoint
from speech.models.espnet_import import find_files, import_espnet, read_config

LANGUAGES, TARGETS = ["deu", "eng", "spa"], ["eng"]
SPECIALS = ["<na>", "<nolang>", *(f"<{c}>" for c in LANGUAGES), "<asr>", *(f"<st_{c}>" for c in TARGETS)]
SETTINGS = {
    "model": "espnet_ctc",
    "model_conf": {"ctc_asr_only": [True, False, False]},
    "frontend_conf": {"fs": 16000, "n_fft": 512, "win_length": 400, "hop_length": 160, "n_mels": 80},
    "normalize": "global_mvn",
    "normalize_conf": {"stats_file": "stats/feats_stats.npz"},
    "encoder": "e_branchformer_ctc",
    "encoder_conf": {
        "output_size": 16,
        "attention_heads": 2,
        "attention_layer_type": "selfattn",
        "pos_enc_layer_type": "abs_pos",
        "cgmlp_linear_units": 32,
        "cgmlp_conv_kernel": 5,
        "num_blocks": 4,
        "linear_units": 32,
        "use_ffn": True,
        "macaron_ffn": True,
        "merge_conv_kernel": 5,
        "interctc_layer_idx": [1, 3],
        "interctc_use_conditioning": True,
        "use_cross_attention": [0, 1, 0, 1],
    },
    "promptencoder": "transformer",
    "promptencoder_conf": {"output_size": 8, "attention_heads": 2, "linear_units": 12, "num_blocks": 2},
    "bpemodel": "data/bpe.model",
}

BLOCK = """
attn.linear_q.weight 16 16, attn.linear_q.bias 16, attn.linear_k.weight 16 16, attn.linear_k.bias 16,
attn.linear_v.weight 16 16, attn.linear_v.bias 16, attn.linear_out.weight 16 16, attn.linear_out.bias 16,
cgmlp.channel_proj1.0.weight 32 16, cgmlp.channel_proj1.0.bias 32, cgmlp.csgu.norm.weight 16, cgmlp.csgu.norm.bias 16,
cgmlp.csgu.conv.weight 16 1 5, cgmlp.csgu.conv.bias 16, cgmlp.channel_proj2.weight 16 16, cgmlp.channel_proj2.bias 16,
feed_forward.w_1.weight 32 16, feed_forward.w_1.bias 32, feed_forward.w_2.weight 16 32, feed_forward.w_2.bias 16,
feed_forward_macaron.w_1.weight 32 16, feed_forward_macaron.w_1.bias 32,
feed_forward_macaron.w_2.weight 16 32, feed_forward_macaron.w_2.bias 16,
norm_ff.weight 16, norm_ff.bias 16, norm_ff_macaron.weight 16, norm_ff_macaron.bias 16, norm_mha.weight 16,
norm_mha.bias 16, norm_mlp.weight 16, norm_mlp.bias 16, norm_final.weight 16, norm_final.bias 16,
depthwise_conv_fusion.weight 32 1 5, depthwise_conv_fusion.bias 32, merge_proj.weight 16 32, merge_proj.bias 16
"""
CROSS = """
norm_cross_attn.weight 16, norm_cross_attn.bias 16, cross_attn.linear_q.weight 16 16, cross_attn.linear_q.bias 16,
cross_attn.linear_k.weight 16 16, cross_attn.linear_k.bias 16, cross_attn.linear_v.weight 16 16,
cross_attn.linear_v.bias 16, cross_attn.linear_out.weight 16 16, cross_attn.linear_out.bias 16
"""
PROMPT = """
self_attn.linear_q.weight 8 8, self_attn.linear_q.bias 8, self_attn.linear_k.weight 8 8, self_attn.linear_k.bias 8,
self_attn.linear_v.weight 8 8, self_attn.linear_v.bias 8, self_attn.linear_out.weight 8 8, self_attn.linear_out.bias 8,
feed_forward.w_1.weight 12 8, feed_forward.w_1.bias 12, feed_forward.w_2.weight 8 12, feed_forward.w_2.bias 8,
norm1.weight 8, norm1.bias 8, norm2.weight 8, norm2.bias 8
"""
REST = """
normalize.mean 80, normalize.std 80, encoder.embed.conv.0.weight 16 1 3 3, encoder.embed.conv.0.bias 16,
encoder.embed.conv.2.weight 16 16 3 3, encoder.embed.conv.2.bias 16, encoder.embed.conv.4.weight 16 16 3 3,
encoder.embed.conv.4.bias 16, encoder.embed.out.0.weight 16 144, encoder.embed.out.0.bias 16,
encoder.after_norm.weight 16, encoder.after_norm.bias 16, encoder.conditioning_layer.weight 16 V,
encoder.conditioning_layer.bias 16, prompt_encoder.after_norm.weight 8, prompt_encoder.after_norm.bias 8,
embed.weight V 8, embed_proj.weight 16 8, embed_proj.bias 16, prompt_proj.weight 16 8, prompt_proj.bias 16,
ctc.ctc_lo.weight V 16, ctc.ctc_lo.bias V
"""


def tensors(vocabulary: int) -> dict[str, torch.Tensor]:
    """As a published file holds them."""
    generator = torch.Generator().manual_seed(0)
    found = {}
    tables = [("", REST)]
    tables += [(f"encoder.encoders.{n}.", BLOCK + ("," + CROSS if n % 2 else "")) for n in range(4)]
    tables += [(f"prompt_encoder.encoders.{n}.", PROMPT) for n in range(2)]
    for front, table in tables:
        for line in table.split(","):
            name, *shape = line.split()
            sizes = [vocabulary if size == "V" else int(size) for size in shape]
            found[front + name] = torch.randn(sizes, generator=generator)
    return found


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Path:
    """A published repository in small."""
    folder = tmp_path_factory.mktemp("published")
    (folder / "data").mkdir()
    (folder / "exp").mkdir()
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS),
        model_writer=written,
        vocab_size=64,
        hard_vocab_limit=False,
        user_defined_symbols=SPECIALS,
        minloglevel=2,
    )
    (folder / "data" / "bpe.model").write_bytes(written.getvalue())
    processor = sentencepiece.SentencePieceProcessor(model_proto=written.getvalue())
    pieces = [processor.id_to_piece(i) for i in range(3, processor.get_piece_size())]
    tokens = ["<blank>", "<unk>", *pieces, "<sos>", "<eos>", "<sop>"]
    (folder / "exp" / "config.yaml").write_text(yaml.safe_dump(SETTINGS | {"token_list": tokens}), "utf-8")
    torch.save(tensors(len(tokens)), folder / "exp" / "valid.ave.pth")
    named = {"s2t_model_file": "exp/valid.ave.pth"}, {"s2t_train_config": "exp/config.yaml"}
    (folder / "meta.yaml").write_text(yaml.safe_dump({"files": named[0], "yaml_files": named[1]}), "utf-8")
    (folder / "README.md").write_text("# where it comes from\n")
    return folder


@pytest.fixture
def copy(original, tmp_path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "copy"))


def change(folder: Path, **settings) -> None:
    path = folder / "exp" / "config.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text("utf-8")) | settings), "utf-8")


def change_tensors(folder: Path, change) -> None:
    path = folder / "exp" / "valid.ave.pth"
    found = torch.load(path)
    change(found)
    torch.save(found, path)


def test_the_command_writes_a_checkpoint_of_the_same_tensors(original, tmp_path):
    result = CliRunner().invoke(app, ["import", str(original), "--to", str(tmp_path / "ours")])
    assert result.exit_code == 0, result.output
    checkpoint = load_checkpoint(tmp_path / "ours")
    theirs = torch.load(original / "exp" / "valid.ave.pth")
    state = checkpoint.model.state_dict()
    assert len(state) == len(theirs)
    assert torch.equal(state["feature_std"], theirs["normalize.std"])
    assert torch.equal(
        state["encoder.layers.3.cross.key.weight"], theirs["encoder.encoders.3.cross_attn.linear_k.weight"]
    )
    out = theirs["encoder.embed.out.0.weight"].view(16, 16, 9)  # (dim, channels, bins)
    assert torch.equal(state["encoder.subsampling.out.weight"].view(16, 9, 16), out.transpose(1, 2))
    conv = state["encoder.subsampling.conv.1.linear.weight"].view(16, 3, 3, 16)
    assert torch.equal(conv.permute(0, 3, 1, 2), theirs["encoder.embed.conv.2.weight"])
    assert checkpoint.tokenizer.vocabulary.languages == tuple(LANGUAGES)
    assert checkpoint.tokenizer.vocabulary.st_targets == tuple(TARGETS)
    assert json.loads((tmp_path / "ours" / "config.json").read_text())["info"]["source"] == str(original)
    assert "where it comes from" in (tmp_path / "ours" / "SOURCE.md").read_text()
    again = CliRunner().invoke(app, ["import", str(original), "--to", str(tmp_path / "ours")])
    assert "is there already" in str(again.exception)


def test_pieces_are_numbered_as_published(original):
    _, tokenizer = import_espnet(original)
    processor = sentencepiece.SentencePieceProcessor(model_file=str(original / "data" / "bpe.model"))
    text = "der hund sat on the street"
    assert tokenizer.encode(text) == [i - 1 for i in processor.encode(text)]
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_newer_key_layout_and_statistics_beside_the_weights(copy):
    def newer(found):
        for kind in ("weight", "bias"):
            found[f"encoder.embed.out.{kind}"] = found.pop(f"encoder.embed.out.0.{kind}")
        found["frontend.logmel.melmat"] = build_empty(config, tokenizer.vocabulary).log_mel.filters
        del found["normalize.mean"], found["normalize.std"]

    model, tokenizer = import_espnet(copy)
    config, older = model.config, model.encoder.subsampling.out.weight.clone()
    change_tensors(copy, newer)
    with pytest.raises(ModelError, match=r"no normalize\.mean"):
        import_espnet(copy)
    (copy / "stats").mkdir()
    sums = {"count": np.array(4), "sum": np.full(80, 8.0), "sum_square": np.full(80, 52.0)}
    np.savez(copy / "stats" / "feats_stats.npz", **sums)
    again, _ = import_espnet(copy)
    assert torch.equal(again.encoder.subsampling.out.weight, older)
    assert again.feature_mean[0] == 2.0
    assert again.feature_std[0] == 3.0


def test_without_meta_the_only_files_are_taken(copy):
    (copy / "meta.yaml").unlink()
    assert find_files(copy).weights.name == "valid.ave.pth"
    (copy / "exp" / "other.pth").write_bytes(b"")
    with pytest.raises(ModelError, match=r"exp/other\.pth"):
        find_files(copy)
    shutil.rmtree(copy / "exp")
    with pytest.raises(ModelError, match=r"config\.yaml is missing"):
        find_files(copy)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"model": "espnet"}, "model is 'espnet'"),
        ({"encoder": "conformer"}, "encoder is 'conformer'"),
        ({"frontend_conf": {**SETTINGS["frontend_conf"], "hop_length": 128}}, "hop_length is 128"),
        ({"frontend_conf": {**SETTINGS["frontend_conf"], "fs": "8k"}}, "fs is '8k'"),
        ({"encoder_conf": {**SETTINGS["encoder_conf"], "pos_enc_layer_type": "rel_pos"}}, "pos_enc_layer_type"),
        ({"encoder_conf": {**SETTINGS["encoder_conf"], "cgmlp_linear_units": 48}}, "cgmlp_linear_units is 48"),
        ({"encoder_conf": {**SETTINGS["encoder_conf"], "use_cross_attention": [1, 0, 0, 1]}}, "every k-th"),
        ({"model_conf": {"ctc_asr_only": [False, True, False]}}, "ctc_asr_only"),
        ({"token_list": None}, "no token_list"),
        ({"token_list": ["<blank>", "<unk>", "<na>"]}, "has 3 tokens"),
    ],
)
def test_another_architecture_is_refused_by_its_setting(copy, settings, named):
    change(copy, **settings)
    with pytest.raises(ModelError, match=named):
        import_espnet(copy)


@pytest.mark.parametrize(
    ("edit", "named"),
    [
        (lambda found: found.update({"decoder.embed.weight": torch.zeros(1)}), "decoder.embed.weight"),
        (
            lambda found: found.update({"encoder.encoders.9.norm_ff.bias": torch.zeros(16)}),
            "layers.9.feed_forward_norm",
        ),
        (lambda found: found.pop("ctc.ctc_lo.bias"), "missing: ctc.linear.bias"),
        (lambda found: found.update({"ctc.ctc_lo.bias": torch.zeros(3)}), r"ctc.linear.bias \(3,\), expected"),
        (lambda found: found.update({"frontend.logmel.melmat": torch.zeros(257, 80)}), "melmat"),
        (lambda found: found.update({"embed.weight": "text"}), "something else than tensors"),
    ],
)
def test_tensors_that_do_not_fit_are_named(copy, edit, named):
    change_tensors(copy, edit)
    with pytest.raises(ModelError, match=named):
        import_espnet(copy)


def test_damaged_files_are_named(copy):
    (copy / "exp" / "valid.ave.pth").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(ModelError, match=r"valid\.ave\.pth: is no file of weights"):
        import_espnet(copy)
    (copy / "exp" / "config.yaml").write_text("a: [1, ")
    with pytest.raises(ModelError, match=r"config\.yaml: is not YAML"):
        import_espnet(copy)


def test_defaults_of_the_toolkit_are_not_mistaken_for_ours():
    with pytest.raises(ModelError, match="attention_layer_type is 'rel_selfattn'"):
        read_config({**SETTINGS, "encoder_conf": {}}, "config.yaml")
