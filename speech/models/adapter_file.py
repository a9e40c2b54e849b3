"""An adapter on disk: one small safetensors file that says which language and which base model it is for.

    PLACE/ADAPTER.safetensors: the parameters of `speech.nn.adapters.Adapter`; in the metadata language, layers, tokens
    of its own, the fingerprint of the base, scores, and a card in Markdown

`adapters/` beside a checkpoint holds those that belong to it, one file for each language.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from speech.errors import ModelError
from speech.nn.adapters import Adapter, AdapterBank

FOLDER = "adapters"
_FORMAT = "speech adapter 1"
_KEYS = ("format", "language", "layers", "tokens", "base", "scores", "card")


@dataclass(frozen=True, slots=True)
class AdapterFile:
    """An adapter and what its file says of it."""

    adapter: Adapter
    language: str
    """ISO 639-3."""
    base: str
    """`fingerprint` of the model that it was trained behind."""
    card: str
    """Markdown: data, licence, scores."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """Such as `dev_cer`, by which the best of several is chosen."""


def fingerprint(checkpoint: Path) -> str:
    """SHA-256 of a checkpoint's weights as they lie on disk: adapters fit these and no others."""
    with (checkpoint / "model.safetensors").open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def save_adapter(path: Path, item: AdapterFile) -> None:
    """Write a file; it appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.partial")
    metadata = {
        "format": _FORMAT,
        "language": item.language,
        "layers": json.dumps(item.adapter.layers),
        "tokens": json.dumps(item.adapter.tokens, ensure_ascii=False),
        "base": item.base,
        "scores": json.dumps(dict(item.scores)),
        "card": item.card,
    }
    tensors = {name: value.detach().float().cpu().contiguous() for name, value in item.adapter.named_parameters()}
    save_file(tensors, temporary, metadata=metadata)
    temporary.chmod(0o644)
    temporary.replace(path)


def load_adapter(path: Path, base: str | None = None) -> AdapterFile:
    """Read what `save_adapter` wrote; its parameters need no gradients.

    Args:
        path: of the file.
        base: fingerprint of the model that it shall work behind; None: of any.

    Raises:
        ModelError: if it is something else, damaged, or for another model.
    """
    where = str(path)
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise ModelError(f"cannot be read: {error}", where=where) from error
    if metadata.get("format") != _FORMAT or any(key not in metadata for key in _KEYS):
        raise ModelError(f"is no adapter: its format is {metadata.get('format')!r}, not {_FORMAT!r}", where=where)
    if base is not None and metadata["base"] != base:
        raise ModelError(
            f"is for another model: trained behind {metadata['base'][:12]}, this is {base[:12]}",
            where=where,
            fix="Train it for this model, or transfer it.",
        )
    try:
        layers, tokens, scores = (json.loads(metadata[key]) for key in ("layers", "tokens", "scores"))
        adapter = Adapter(layers, tensors["norm_weight"].shape[1], tensors["down"].shape[1], tokens)
        adapter.load_state_dict(tensors)
    except (KeyError, IndexError, ValueError, RuntimeError) as error:
        raise ModelError(f"is damaged: {error}", where=where) from error
    return AdapterFile(adapter.requires_grad_(False), metadata["language"], metadata["base"], metadata["card"], scores)


def load_bank(checkpoint: Path) -> AdapterBank | None:
    """All adapters that lie beside a checkpoint; None if there are none.

    Raises:
        ModelError: if one is for another model, damaged, or for the language of another one.
    """
    paths = sorted((checkpoint / FOLDER).glob("*.safetensors"))
    if not paths:
        return None
    base, found = fingerprint(checkpoint), dict[str, Adapter]()
    for path in paths:
        item = load_adapter(path, base)
        if item.language in found:
            raise ModelError(f"is a second adapter for {item.language!r}", where=str(path), fix="Keep one of them.")
        found[item.language] = item.adapter
    return AdapterBank(found)
