"""Resolves a model name, that is, a path, a model of the package, or a hub id, to a local directory."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import huggingface_hub  # imports its submodules lazily

from speech.choices import EMBEDDED as EMBEDDED
from speech.choices import EMBEDDED_VOICE as EMBEDDED_VOICE
from speech.choices import EMBEDDED_WATERMARK as EMBEDDED_WATERMARK
from speech.errors import ModelError

_DATA = (
    "*.safetensors", "*.json", "*.jsonl", "*.model", "*.md", "*.png",  # ours
    "*.pth", "*.yaml", "*.npz",  # a published OWSM-CTC; of its weights only tensors are read
    "*.tiktoken",  # of a published Fish-Speech: lines of text
    "voices/*.pt",  # of a published Kokoro; of these, too, only tensors are read
    "model.bin", "*.spm", "*_vocabulary.txt",  # of CTranslate2: arrays, pieces of text, tokens
)  # fmt: skip
"""File patterns to download from a repository: no code, and nothing that our readers would execute."""
_TWICE = "model.fp32*"
"""Duplicate weights: some Whisper repositories have both float16 and float32."""
_SHIPPED = {
    EMBEDDED: ("model", "Train one with recipes/owsm_ctc/train.py, and name its directory."),
    EMBEDDED_VOICE: ("voice", "Import one with `speech import`, or train one, and name its directory."),
    EMBEDDED_WATERMARK: ("watermark", "Train one with recipes/tts/train_watermark.py, and name its directory."),
}
"""Name of a model of the package -> its folder among the assets, and what to do where it is missing."""


def locate(name: str) -> Path:
    """Return the directory of a checkpoint, downloading it if needed.

    Args:
        name: a directory, "embedded", "embedded-voice", "embedded-watermark", or a hub id such as "owner/model".

    Raises:
        ModelError: if it is none of these, or cannot be downloaded.
    """
    if name in _SHIPPED:
        folder, fix = _SHIPPED[name]
        shipped = Path(str(files("speech") / "assets" / folder))
        if not shipped.is_dir():
            raise ModelError("this version ships no such model", where=name, fix=fix)
        return shipped
    path = Path(name).expanduser()
    if path.is_dir():
        return path
    if not _is_hub_id(name):
        fix = f'Give a directory, a hub id "owner/model", "{EMBEDDED}", or "{EMBEDDED_VOICE}".'
        raise ModelError("no such model", where=name, fix=fix)
    try:
        return Path(huggingface_hub.snapshot_download(name, allow_patterns=list(_DATA), ignore_patterns=[_TWICE]))
    except _failures() as error:
        raise ModelError(f"could not be fetched from the hub: {_short(error)}", where=name) from error


def embedded_pronunciation() -> Path:
    """Directory of the pronunciation model that ships with the package."""
    return Path(str(files("speech") / "assets" / "pronunciation"))


def locate_file(name: str, filename: str) -> Path:
    """Return one file of a published model; `name` is the file, its directory, or a hub id.

    Raises:
        ModelError: as `locate`.
    """
    path = Path(name).expanduser()
    if path.is_file():
        return path
    if path.is_dir():
        return path / filename
    if not _is_hub_id(name):
        raise ModelError("no such file", where=name, fix=f"Give {filename}, its directory, or a hub id.")
    try:
        return Path(huggingface_hub.hf_hub_download(name, filename))
    except _failures() as error:
        raise ModelError(f"could not be fetched from the hub: {_short(error)}", where=name) from error


def _failures() -> tuple[type[Exception], ...]:
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    return HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError


def _is_hub_id(name: str) -> bool:
    return name.count("/") == 1 and not name.startswith((".", "/", "~"))


def _short(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
