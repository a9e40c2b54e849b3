"""Adapter files: a small safetensors file with an adapter, its language and its base model.

    PLACE/ADAPTER.safetensors: the parameters of `speech.nn.adapters.Adapter`; in the metadata language, layers,
    tokens of its own, the fingerprint of the base, scores, and a card in Markdown

`adapters/` beside a checkpoint holds its adapters, one file per language.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from speech.errors import ConfigError, ModelError
from speech.models.base import CtcModel
from speech.models.checkpoint import shares_layers
from speech.models.storage import LABEL
from speech.nn.adapters import Adapter, AdapterBank
from speech.tensors import check_finite, save_tensors
from speech.text.languages import LANGUAGES

FOLDER = "adapters"
_FORMAT = "speech adapter 1"
_KEYS = ("format", "language", "layers", "tokens", "base", "scores", "card")
_NUMBERS = {"F32", "F16", "BF16"}


@dataclass(frozen=True, slots=True)
class AdapterFile:
    """An adapter with its metadata."""

    adapter: Adapter
    language: str
    """ISO 639-3 code."""
    base: str
    """`fingerprint` of the base model that it was trained on."""
    card: str
    """Markdown: data, licence, scores."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """Scores such as `dev_cer`, used to choose the best of several adapters."""


@dataclass(frozen=True, slots=True)
class AdapterDescription:
    """An adapter's metadata, without its parameters."""

    path: Path
    language: str
    """ISO 639-3 code."""
    layers: tuple[int, ...]
    dim: int
    width: int
    tokens: tuple[str, ...]
    """Tokens added by the adapter."""
    parameters: int
    size: int
    """Bytes on disk."""
    base: str
    card: str
    scores: Mapping[str, float]

    def check(self, model: CtcModel, *, where: str | None = None) -> None:
        """Check that the adapter fits a model; errors name the file by `where`, or by its path.

        Raises:
            ModelError: if the adapter needs layers that the model lacks, or has another frame width.
        """
        dim, layers = model.dim, model.layers
        if self.dim != dim or self.layers[-1] > layers:
            raise ModelError(
                f"is for frames of {self.dim} behind layers up to {self.layers[-1]}; the model has {layers} of {dim}",
                where=where or str(self.path),
            )


def fingerprint(checkpoint: Path) -> str:
    """SHA-256 of a checkpoint's weights on disk, which identifies the base of its adapters. Without a CTC model it is
    the hash of the digests of encoder and label decoder; with shared layers, of the model's digest and that of the
    shared encoder.

    Digests are cached per process until a file changes.

    Raises:
        ModelError: if there are no weights.
    """
    path = checkpoint / "model.safetensors"
    parts = [path]
    if shares_layers(checkpoint):
        parts.append(checkpoint / LABEL / "encoder.safetensors")
    halves = [checkpoint / f"{half}.safetensors" for half in ("encoder", "decoder")]
    if not path.exists() and all(half.exists() for half in halves):
        parts = halves
    digests = [_fingerprint(part) for part in parts]
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def _fingerprint(path: Path) -> str:
    try:
        status = path.stat()
    except OSError as error:
        raise ModelError(f"cannot be read: {error.strerror}", where=str(path)) from error
    return _digest(path.absolute(), status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=16)
def _digest(path: Path, size: int, changed_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def save_adapter(path: Path, item: AdapterFile) -> None:
    """Write an adapter file atomically.

    Raises:
        FileError: if the file cannot be written.
        ModelError: if a parameter is not finite.
    """
    metadata = {
        "format": _FORMAT,
        "language": item.language,
        "layers": json.dumps(item.adapter.layers),
        "tokens": json.dumps(item.adapter.tokens, ensure_ascii=False),
        "base": item.base,
        "scores": json.dumps({name: value for name, value in item.scores.items() if math.isfinite(value)}),
        "card": item.card,
    }
    save_tensors(path, {name: value.detach().float() for name, value in item.adapter.named_parameters()}, metadata)


def describe(path: Path, base: str | None = None, *, where: str | None = None) -> AdapterDescription:
    """Read the metadata of an adapter file, without its parameters.

    Args:
        path: the file.
        base: required fingerprint of the base model; None: any.
        where: name of the file in errors; None: its path.

    Raises:
        ModelError: if the file is not an adapter, is damaged, or is for another model.
    """
    with _opened(path, where or str(path)) as file:
        return _description(file, path, base, where or str(path))


def load_adapter(path: Path, base: str | None = None, *, where: str | None = None) -> AdapterFile:
    """Read the output of `save_adapter`, with gradients disabled. Arguments and errors as for `describe`."""
    where = where or str(path)
    with _opened(path, where) as file:
        info = _description(file, path, base, where)
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    check_finite(tensors, where, "It comes from a training that went wrong: take an earlier one.")
    adapter = Adapter(info.layers, info.dim, info.width, info.tokens)
    adapter.load_state_dict(tensors)
    return AdapterFile(adapter.requires_grad_(False), info.language, info.base, info.card, info.scores)


def load_bank(checkpoint: Path, folder: Path | None = None) -> AdapterBank | None:
    """Load all adapters beside a checkpoint, or from `folder` instead; None if there are none.

    Raises:
        ModelError: if `folder` is missing, or an adapter is for another model, damaged, or a duplicate for its
            language.
    """
    if folder is not None and not folder.is_dir():
        raise ModelError("is not a folder of adapters", where=str(folder), fix="Give an existing folder.")
    paths = sorted((checkpoint / FOLDER if folder is None else folder).glob("*.safetensors"))
    if not paths:
        return None
    base, found = fingerprint(checkpoint), dict[str, Adapter]()
    for path in paths:
        item = load_adapter(path, base)
        if item.language in found:
            raise ModelError(f"is a second adapter for {item.language!r}", where=str(path), fix="Keep one of them.")
        found[item.language] = item.adapter
    return AdapterBank(found)


@contextmanager
def _opened(path: Path, where: str) -> Iterator[Any]:
    try:
        with safe_open(path, "pt") as file:
            yield file
    except (OSError, SafetensorError) as error:
        raise ModelError(f"cannot be read: {error}", where=where) from error


def _description(file: Any, path: Path, base: str | None, where: str) -> AdapterDescription:
    metadata = file.metadata() or {}
    if metadata.get("format") != _FORMAT or any(key not in metadata for key in _KEYS):
        raise ModelError(f"is no adapter: its format is {metadata.get('format')!r}, not {_FORMAT!r}", where=where)
    if base is not None and metadata["base"] != base:
        raise ModelError(
            f"is for another model: trained behind {metadata['base'][:12]}, this is {base[:12]}",
            where=where,
            fix="Train it for this model, or transfer it.",
        )
    code = metadata["language"]
    if code not in LANGUAGES:
        raise ModelError(
            f"is for a language that is not known here: {code!r}",
            where=where,
            fix="A language is a row in speech/text/language_table.py.",
        )
    try:
        layers, tokens, scores = (json.loads(metadata[key]) for key in ("layers", "tokens", "scores"))
        parts = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
        shapes = {name: tuple(part.get_shape()) for name, part in parts.items()}
        if not _typed(layers, int) or not _typed(tokens, str) or not _typed([*scores.values()], int | float):
            raise ValueError(f"layers {layers}, tokens {tokens}, scores {scores}")
        if not all(tokens) or len(set(tokens)) < len(tokens):
            raise ValueError(f"tokens are empty or there twice: {tokens}")
        with torch.device("meta"):  # construct these sizes without allocating memory
            adapter = Adapter(layers, shapes["norm_weight"][1], shapes["down"][1], tokens)
        if shapes != {name: tuple(value.shape) for name, value in adapter.named_parameters()}:
            raise ValueError(f"tensors of sizes {shapes}")
        if not {part.get_dtype() for part in parts.values()} <= _NUMBERS:
            raise ValueError(f"numbers are not {', '.join(sorted(_NUMBERS))}")
    except (KeyError, IndexError, ValueError, TypeError, AttributeError, RuntimeError, ConfigError) as error:
        raise ModelError(f"is damaged: {error}", where=where) from error
    return AdapterDescription(
        path=path,
        language=code,
        layers=adapter.layers,
        dim=adapter.dim,
        width=adapter.width,
        tokens=adapter.tokens,
        parameters=sum(value.numel() for value in adapter.parameters()),
        size=path.stat().st_size,
        base=metadata["base"],
        card=metadata["card"],
        scores=scores,
    )


def _typed(values: object, kind: Any) -> bool:
    return isinstance(values, list) and all(
        isinstance(value, kind) and not isinstance(value, bool) and (isinstance(value, str) or math.isfinite(value))
        for value in values
    )
