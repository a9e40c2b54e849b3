"""A Whisper of random weights with a tokenizer of bytes, small enough for any test."""

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from speech.models.whisper import Whisper, WhisperConfig
from speech.nn.decoder.label import LabelDecoderConfig
from speech.nn.encoder.whisper import WhisperEncoderConfig
from speech.text.tokenizers.bpe import LabelTokenizer

SPECIALS = (
    "<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|de|>", "<|es|>", "<|translate|>", "<|transcribe|>",
    "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>",
)  # fmt: skip


def tiny_label_tokenizer() -> LabelTokenizer:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: n for n, letter in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(name, special=True) for name in SPECIALS])
    return LabelTokenizer(tokenizer.to_str().encode())


def tiny_whisper_config(dim: int = 32) -> WhisperConfig:
    return WhisperConfig(
        encoder=WhisperEncoderConfig(bins=80, dim=dim, layers=2, heads=4, hidden=2 * dim, period=None),
        decoder=LabelDecoderConfig(
            vocabulary=256 + len(SPECIALS) + 51, dim=dim, layers=2, heads=4, hidden=2 * dim, positions=40
        ),
        alignment_heads=[(1, 0), (1, 3)],
        suppressed=[0, 257],
        suppressed_first=[32, 256],
    )


def tiny_whisper(dim: int = 32) -> Whisper:
    torch.manual_seed(0)
    model = tiny_whisper_config(dim).build().eval()
    with torch.no_grad():
        model.decoder.embed.weight.mul_(10)  # as large as what attention adds
        model.decoder.positions.normal_(std=0.1)
    return model


def literate_whisper(dim: int = 32) -> Whisper:
    """One that writes letters and spaces alone, whatever it hears."""
    model = tiny_whisper(dim)
    pieces = tiny_label_tokenizer()
    model.config.suppressed = [
        token for token in range(256) if not (pieces.piece(token).isalpha() or pieces.piece(token) == b" ")
    ]
    model.config.suppressed_first = [token for token in range(256) if pieces.piece(token) == b" "]
    with torch.no_grad():
        model.decoder.positions.normal_(std=1.0)
        for layer in model.decoder.layers:
            layer.cross.out.weight.mul_(8)  # what it hears counts for more than what it has written
    return model
