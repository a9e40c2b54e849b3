"""A published OWSM-CTC repository in small, written without ESPnet: its files, its settings, its tensors by name."""

import io
from pathlib import Path

import sentencepiece
import torch
import yaml

from tests.conftest import TEXTS

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


def write_published(folder: Path) -> Path:
    """Write it to a new directory."""
    folder.mkdir(parents=True)
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
