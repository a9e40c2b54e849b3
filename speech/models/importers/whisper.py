"""Imports published Whisper models (Radford et al. 2022), numerically identical.

Neither transformers nor CTranslate2 is needed. Architectures that our model does not support are rejected by name,
never approximated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from speech.errors import FileError, ModelError
from speech.files import printable, reason
from speech.models.importers.whisper_files import PublishedWhisper, read_tensors, read_whisper
from speech.models.storage import without_memory
from speech.models.whisper import Whisper, WhisperConfig
from speech.nn.decoder.label import LabelDecoderConfig
from speech.nn.encoder.whisper import WhisperEncoder
from speech.text.tokenizers.bpe import LabelTokenizer

_TOKENIZER = "tokenizer.json"
_ENGLISH_PIECES = 50_256
"""Number of text tokens in GPT-2's vocabulary, used by English-only models; multilingual models have one more."""


def import_whisper(directory: Path) -> tuple[Whisper, LabelTokenizer]:
    """Load a published Whisper model in float32 and evaluation mode.

    Args:
        directory: a copy of its repository, in either layout.

    Raises:
        FileError: if a file cannot be read.
        ModelError: naming file and key, if it is another kind of model, incomplete, or its shapes do not match its
            settings.
    """
    source = read_whisper(directory)
    tokenizer = _tokenizer(directory / _TOKENIZER, source)
    return _model(source, tokenizer.english_only), tokenizer


def load_whisper_encoder(encoder: WhisperEncoder, path: Path) -> None:
    """Load `encoder` from one file in Hugging Face's layout, which holds the encoder alone or the whole model.

    Raises:
        ModelError: if the file is missing, not a Whisper checkpoint, damaged, not finite, or of another size.
    """
    if not path.is_file():
        raise ModelError("no such file", where=printable(path), fix="Give a Whisper .safetensors file.")
    found = read_tensors(path)
    tensors = {
        name.removeprefix("encoder."): tensor.float() for name, tensor in found.items() if name.startswith("encoder.")
    }
    wanted = {k: v for k, v in encoder.state_dict().items() if not k.startswith(("positions", "reduction"))}
    _check_fit(wanted, tensors, printable(path))
    with torch.no_grad():
        encoder.load_state_dict(tensors, strict=False)


def _tokenizer(path: Path, source: PublishedWhisper) -> LabelTokenizer:
    where = printable(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ModelError("is missing", where=where, fix="Get it from the repository of the model.") from None
    except OSError as error:
        raise FileError(f"cannot be read: {reason(error)}", where=where) from error
    try:
        tokenizer = LabelTokenizer(data, english_only=bool(source.settings.english_only))
        if source.settings.english_only is None and tokenizer.end == _ENGLISH_PIECES:
            tokenizer = LabelTokenizer(data, english_only=True)
    except ModelError as error:
        raise ModelError(error.what, where=where, fix=error.fix) from error
    if tokenizer.first_timestamp > source.decoder.vocabulary:
        what = f"has {tokenizer.first_timestamp} tokens, the model {source.decoder.vocabulary}"
        raise ModelError(what, where=where, fix="Use the one that lies beside the weights.")
    if source.settings.start not in (None, tokenizer.start):
        what = f"begins with token {tokenizer.start}, the model with {source.settings.start}"
        raise ModelError(what, where=where, fix="Use the one that lies beside the weights.")
    if not tokenizer.english_only:
        strange = [token for token in source.settings.languages if token not in tokenizer.languages.values()]
        if strange:
            raise ModelError(f"has no languages as tokens {_some(strange)}, which the model names", where=where)
    return tokenizer


def _model(source: PublishedWhisper, english_only: bool) -> Whisper:
    decoder, settings = source.decoder, source.settings
    for token in [*settings.suppressed, *settings.suppressed_first]:
        if token >= decoder.vocabulary:
            raise ModelError(f"suppresses token {token} of {decoder.vocabulary}", where=source.where)
    for layer, head in settings.alignment_heads:
        if layer >= decoder.layers or head >= decoder.heads:
            what = f"names head {head} of layer {layer}; there are {decoder.heads} of {decoder.layers} layers"
            raise ModelError(what, where=source.where)
    config = WhisperConfig(
        encoder=source.encoder,
        decoder=decoder,
        alignment_heads=settings.alignment_heads or default_alignment_heads(decoder),
        suppressed=settings.suppressed,
        suppressed_first=settings.suppressed_first,
        positions=source.positions,
        english_only=english_only,
    )
    with without_memory():
        model = config.build()
    tensors = {name: tensor.to(torch.float32, copy=True) for name, tensor in source.tensors.items()}
    _check_fit(model.state_dict(), tensors, source.where)
    model.load_state_dict(tensors, assign=True)
    return model.eval()


def default_alignment_heads(decoder: LabelDecoderConfig) -> list[tuple[int, int]]:
    """All heads of the upper half of the layers, for models that specify none."""
    return [(layer, head) for layer in range(decoder.layers // 2, decoder.layers) for head in range(decoder.heads)]


def _check_fit(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor], where: str) -> None:
    missing, unknown = sorted(wanted.keys() - found.keys()), sorted(found.keys() - wanted.keys())
    if missing:
        raise ModelError(f"{len(missing)} tensors are missing: {_some(missing)}", where=where)
    if unknown:
        raise ModelError(f"{len(unknown)} tensors belong to no part of the model: {_some(unknown)}", where=where)
    wrong = [
        f"{name} {tuple(found[name].shape)}, expected {tuple(tensor.shape)}"
        for name, tensor in sorted(wanted.items())
        if tensor.shape != found[name].shape
    ]
    if wrong:
        raise ModelError(f"{len(wrong)} tensors have another shape: {_some(wrong)}", where=where)


def _some(names: Sequence[object]) -> str:
    return ", ".join(map(str, names[:6])) + (", ..." if len(names) > 6 else "")
