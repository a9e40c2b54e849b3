"""Codes of a corpus, made once: a safetensors file per part with `(codebooks, frames)` int16 of each utterance id."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from speech.data.manifest import Utterance
from speech.data.reading import AudioReader, Tally, Unreadable
from speech.errors import DataError, ModelError
from speech.files import printable
from speech.models.codec import NeuralCodec
from speech.tensors import load_tensors, save_tensors

_log = logging.getLogger(__name__)

_CODEC = "codec"
"""Key in the file's header: digest of the codec that made the codes."""
_KEPT_EVERY = 2000
"""Utterances after which codes are written, so that an interrupted run need not make them again."""
_LARGEST = 2**15


def digest_of(codec: NeuralCodec) -> str:
    """A name for the parameters that make codes."""
    found = hashlib.sha256()
    for part in (codec.encoder, codec.quantizer):
        for name, tensor in sorted(part.state_dict().items()):
            found.update(name.encode())
            found.update(np.ascontiguousarray(tensor.detach().cpu().float().numpy()).tobytes())
    return found.hexdigest()[:16]


def encode_corpus(
    codec: NeuralCodec, utterances: Sequence[Utterance], path: Path, unreadable: Tally
) -> dict[str, Tensor]:
    """Codes by id; those that `path` already has from the same codec are not made again.

    Args:
        codec: in evaluation mode.
        utterances: a part of the corpus.
        path: file to keep them in.
        unreadable: tally of this part.

    Raises:
        DataError: if too many utterances cannot be read.
        FileError: if the file cannot be written.
        ModelError: if the codec has more codes than the file's numbers, or the file is damaged.
    """
    if codec.codebook_size > _LARGEST:
        raise ModelError(f"a codebook of {codec.codebook_size} codes; codes are kept in 16 bits")
    codec_digest, read, made = digest_of(codec), AudioReader(rate=codec.sample_rate), 0
    codes = load_tensors(path) if path.is_file() and _maker(path) == codec_digest else {}
    for utterance in utterances:
        if utterance.id in codes:
            continue
        samples = read(utterance)
        if isinstance(samples, Unreadable):
            unreadable.add([samples])
            unreadable.check()
            continue
        codes[utterance.id] = _encoded(codec, samples)
        made += 1
        if made % _KEPT_EVERY == 0:
            _log.info("%d of %d utterances encoded", len(codes), len(utterances))
            save_tensors(path, codes, {_CODEC: codec_digest})
    if made:
        save_tensors(path, codes, {_CODEC: codec_digest})
    return codes


@torch.inference_mode()
def _encoded(codec: NeuralCodec, samples: np.ndarray) -> Tensor:
    heard = torch.from_numpy(samples)[None].to(codec.device)
    codes, _ = codec.encode(heard, torch.tensor([len(samples)], device=codec.device))
    return codes[0].to(torch.int16).cpu()


def read_codes(codec: NeuralCodec, path: Path) -> dict[str, Tensor]:
    """Codes by id that an earlier run has made.

    Raises:
        DataError: if there is no such file, they are another codec's, or one has another shape or range.
        ModelError: if the file is damaged.
    """
    where = printable(path)
    if not path.is_file():
        raise DataError("no such file", where=where, fix="Give the folder codes/ of an earlier run.")
    if _maker(path) != digest_of(codec):
        raise DataError("holds codes of another codec", where=where, fix="Give that codec, or leave codes empty.")
    codes = load_tensors(path)
    for name, own in codes.items():
        fits = own.dim() == 2 and len(own) == codec.codebooks and own.shape[1] > 0 and own.dtype == torch.int16
        if not fits or int(own.min()) < 0 or int(own.max()) >= codec.codebook_size:
            text = f"{name} is {own.dtype} {tuple(own.shape)}, or out of range"
            raise DataError(text, where=where, fix="Leave codes empty to have them made.")
    return codes


def _maker(path: Path) -> str | None:
    """Digest in the header of a file of codes; None if it has none."""
    try:
        with safe_open(path, "pt") as file:
            return (file.metadata() or {}).get(_CODEC)
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"is damaged: {error}", where=printable(path), fix="Delete it to have it made anew."
        ) from error
