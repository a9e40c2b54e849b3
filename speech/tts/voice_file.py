"""A voice as one small file: safetensors with metadata. Nothing in it is executed.

    NAME.voice or voices/NAME.safetensors: what the model reads of the voice; in the metadata its name, language, the
    kind and the digest of the model that it fits, whether it was cloned, a card, and when it was made

A voice of Kokoro holds `styles (rows, 2 * style_dim)`. That of a model that speaks as a recording does may hold codes,
durations and an embedding of the recording, and its phonemes in the metadata; the model checks its own tensors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from speech.errors import ModelError
from speech.files import printable
from speech.tensors import check_finite, save_tensors
from speech.text.languages import LANGUAGES

SUFFIX = ".voice"
"""Usual suffix of a voice that lies by itself."""
MOST_BYTES = 1 << 24
"""Size of a file; a voice of Kokoro has half a megabyte."""
_FORMAT = "speech voice 1"
_KEYS = ("name", "language", "kind", "model", "cloned", "card", "created")
_NAME = re.compile(r"\w[\w-]{0,63}")
_MOST_TENSORS, _MOST_LETTERS = 16, 100_000
_NUMBERS = {"F32", "F16", "BF16", "I64", "I32", "I16", "U8"}


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceFile:
    """A voice with its metadata.

    Raises:
        ModelError: if a field cannot be what it is to be.
    """

    name: str
    """Letters, digits, `_` and `-`."""
    language: str
    """ISO 639-3 code of the language that it was taught."""
    kind: str
    """Kind of checkpoint that it fits."""
    model: str
    """SHA-256 of the weights that it was made for."""
    tensors: Mapping[str, Tensor]
    """What the model reads of it."""
    cloned: bool
    """Whether it imitates somebody by a recording: it is then said only with a watermark."""
    card: str
    """Markdown: sources, licences and, of a cloned voice, who has consented to what."""
    created: str
    """Date and time, ISO 8601."""
    phonemes: str = ""
    """What is said in the recording that a voice was cloned from."""

    def __post_init__(self) -> None:
        problem = _problem(self)
        if problem:
            raise ModelError(f"is no voice: {problem}")

    def check(self, kind: str, model: str, where: str) -> None:
        """Check that the voice was made for a model.

        Args:
            kind: of the checkpoint.
            model: SHA-256 of its weights.
            where: names the voice in the error.

        Raises:
            ModelError: if it was not.
        """
        if self.kind != kind:
            raise ModelError(f"is a voice for a model of kind {self.kind!r}, not {kind!r}", where=where)
        if self.model != model:
            text = f"is a voice for another model: made for {self.model[:12]}, this is {model[:12]}"
            raise ModelError(text, where=where, fix="Make it anew from voices of this model.")


def check_name(name: str) -> None:
    """Check the name of a voice that is to be made.

    Raises:
        ModelError: if no voice can have it.
    """
    problem = _wrong_name(name)
    if problem:
        raise ModelError(f"is no voice: {problem}")


def save_voice(path: Path, voice: VoiceFile) -> None:
    """Write a voice atomically.

    Raises:
        FileError: if the system refuses.
        ModelError: if a number is not finite.
    """
    metadata = {key: getattr(voice, key) for key in _KEYS if key != "cloned"}
    metadata |= {"format": _FORMAT, "cloned": "true" if voice.cloned else "false", "phonemes": voice.phonemes}
    save_tensors(path, voice.tensors, metadata)


def load_voice(path: Path) -> VoiceFile:
    """Read a voice; size, metadata and types are checked before its numbers are read.

    Raises:
        ModelError: if the file is too large, damaged, or no voice.
    """
    found = _read(path)
    if found is None:
        raise ModelError(f"is no voice: its format is not {_FORMAT!r}", where=printable(path))
    return found


def stored_voices(folder: Path) -> list[VoiceFile]:
    """The voices with metadata among those of a checkpoint, by name; each is called as its file.

    Raises:
        ModelError: naming the file, if one is too large or damaged.
    """
    found = [(path, _read(path)) for path in sorted(folder.glob("*.safetensors"))]
    return [replace(voice, name=path.stem) for path, voice in found if voice is not None]


def _read(path: Path) -> VoiceFile | None:
    """A voice; None if the file has no metadata of one."""
    where = printable(path)
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise ModelError(f"has {size} bytes, a voice at most {MOST_BYTES}", where=where)
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != _FORMAT:
                return None
            tensors = _tensors(file, where)
    except OSError as error:
        raise ModelError(f"cannot be read: {error.strerror or error}", where=where) from error
    except SafetensorError as error:
        raise ModelError(f"is damaged: {error}", where=where, fix="Copy it again.") from error
    missing = [key for key in _KEYS if key not in metadata]
    if missing or metadata["cloned"] not in ("true", "false"):
        raise ModelError(f"is no voice: {missing[0] if missing else 'cloned'} is missing or wrong", where=where)
    check_finite(tensors, where)
    fields: dict[str, Any] = {key: metadata[key] for key in _KEYS}
    fields |= {"cloned": metadata["cloned"] == "true", "phonemes": metadata.get("phonemes", "")}
    try:
        return VoiceFile(tensors=tensors, **fields)
    except ModelError as error:
        raise ModelError(error.what, where=where, fix=error.fix) from error


def _tensors(file: Any, where: str) -> dict[str, Tensor]:
    names = list(file.keys())
    types = {name: file.get_slice(name).get_dtype() for name in names}
    strange = sorted(set(types.values()) - _NUMBERS)
    if strange or not 1 <= len(names) <= _MOST_TENSORS:
        what = f"numbers of type {strange[0]}" if strange else f"{len(names)} tensors, expected 1 to {_MOST_TENSORS}"
        raise ModelError(f"is no voice: it holds {what}", where=where)
    return {name: file.get_tensor(name) for name in names}


def _problem(voice: VoiceFile) -> str | None:
    """What is wrong with the fields of a voice."""
    wrong = _wrong_name(voice.name)
    if wrong:
        return wrong
    if voice.language not in LANGUAGES:
        return f"its language is {voice.language[:80]!r}, expected an ISO 639-3 code that is known"
    if not re.fullmatch("[a-z_]{1,32}", voice.kind):
        return f"its kind of model is {voice.kind[:80]!r}"
    if not re.fullmatch("[0-9a-f]{64}", voice.model):
        return "its digest of a model is no SHA-256"
    if len(voice.card) + len(voice.phonemes) > _MOST_LETTERS:
        return f"its card and phonemes have more than {_MOST_LETTERS} characters"
    if voice.cloned and not voice.card.strip():
        return "it was cloned, and no card says who has consented"
    try:
        datetime.fromisoformat(voice.created)
    except ValueError:
        return f"it was created at {voice.created[:80]!r}, expected a date"
    return None


def _wrong_name(name: str) -> str | None:
    return None if _NAME.fullmatch(name) else f"its name is {name[:80]!r}, expected up to 64 letters, digits, _ and -"
