"""Policy files: a small safetensors file with a trained policy network and the label model that it decides for.

LABEL_MODEL/policy.safetensors: the parameters of `speech.nn.policy_network.PolicyNetwork`; in the metadata its
configuration, width, layers and heads of the decoder, the fingerprint of the label model, and a card in Markdown
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from speech.choices import Storage
from speech.errors import ConfigError, ModelError
from speech.models.adapters.file import fingerprint
from speech.models.storage import packed, unpacked
from speech.nn.decoder.label import LabelDecoderConfig
from speech.nn.policy_network import PolicyConfig, PolicyNetwork
from speech.tensors import load_tensors, save_tensors

POLICY = "policy.safetensors"
"""Name of the file in the folder of a label model, which is `label/` in a hybrid."""
_FORMAT = "speech policy 1"
_KEYS = ("format", "shape", "config", "base", "card")


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """A policy network with its metadata."""

    network: PolicyNetwork
    base: str
    """`fingerprint` of the label model that it was trained with."""
    card: str
    """Markdown: data, licences, steps."""


def save_policy(path: Path, item: PolicyFile, storage: Storage = Storage.float32) -> None:
    """Write a policy file atomically, with its matrices in a number format.

    Raises:
        FileError: if the file cannot be written.
        ModelError: if a parameter is not finite.
    """
    network = item.network
    metadata = {
        "format": _FORMAT,
        "shape": json.dumps({"dim": network.dim, "layers": network.layers, "heads": network.heads}),
        "config": json.dumps(asdict(network.config)),
        "base": item.base,
        "card": item.card,
    }
    save_tensors(path, packed(network.state_dict(), storage), metadata)


def load_policy(path: Path, base: str | None = None) -> PolicyFile:
    """Read the output of `save_policy` as float32, with gradients disabled.

    Args:
        path: the file.
        base: required fingerprint of the label model; None: any.

    Raises:
        ModelError: if the file is not a policy, is damaged, or is for another model.
    """
    metadata = _metadata(path)
    if base is not None and metadata["base"] != base:
        raise ModelError(
            f"is for another label model: trained with {metadata['base'][:12]}, this is {base[:12]}",
            where=str(path),
            fix="Train it for this model (recipes/streaming_translation/train.py), or remove it.",
        )
    tensors = unpacked(load_tensors(path), (), str(path))
    try:
        with torch.device("meta"):  # construct these sizes without allocating memory
            network = PolicyNetwork(PolicyConfig(**json.loads(metadata["config"])), **json.loads(metadata["shape"]))
        network.load_state_dict(tensors, assign=True)
    except (TypeError, ValueError, RuntimeError, ConfigError) as error:
        raise ModelError(f"is damaged: {error}", where=str(path)) from error
    return PolicyFile(network.requires_grad_(False).float().eval(), metadata["base"], metadata["card"])


def policy_beside(folder: Path, decoder: LabelDecoderConfig, device: torch.device) -> PolicyNetwork | None:
    """The policy network beside a label model; None if there is none.

    Args:
        folder: the label model's checkpoint.
        decoder: shape of its decoder.
        device: of the model.

    Raises:
        ModelError: if the policy is damaged, or for another label model or another decoder.
    """
    path = folder / POLICY
    if not path.is_file():
        return None
    network = load_policy(path, fingerprint(folder)).network
    if (network.dim, network.layers) != (decoder.dim, decoder.layers):
        raise ModelError(
            f"is for {network.layers} layers of {network.dim}; the decoder has {decoder.layers} of {decoder.dim}",
            where=str(path),
        )
    return network.to(device)


def _metadata(path: Path) -> dict[str, str]:
    try:
        with safe_open(path, "pt") as file:
            metadata: dict[str, str] = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise ModelError(f"cannot be read: {error}", where=str(path)) from error
    if metadata.get("format") != _FORMAT or any(key not in metadata for key in _KEYS):
        raise ModelError(f"is no policy: its format is {metadata.get('format')!r}, not {_FORMAT!r}", where=str(path))
    return metadata
