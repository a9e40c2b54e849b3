"""Voices of Kokoro: styles for each number of symbols, and statistics with which they stream; files and mixtures."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from speech.errors import ConfigError, ModelError
from speech.files import printable
from speech.nn.kokoro.norm_statistics import LengthStatistics
from speech.tensors import load_tensors, save_tensors

VOICES = "voices"
"""Folder in a checkpoint: a file per voice."""
STYLES, NORMS = "styles", "norms"
"""Names of the tensors in a voice's file."""
_NAME = re.compile(r"\w[\w-]*")


@dataclass(frozen=True, slots=True)
class KokoroVoice:
    """A voice of a model."""

    styles: Tensor
    """A style for each number of symbols `(rows, 2 * style_dim)`."""
    norms: Tensor | None = None
    """See `LengthStatistics.norms`: behind the normalisations of the decoder, if they are known."""

    @property
    def statistics(self) -> LengthStatistics | None:
        """`norms` as the decoder reads them."""
        return None if self.norms is None else LengthStatistics(self.norms)

    @property
    def tensors(self) -> dict[str, Tensor]:
        """What a file of the voice holds."""
        return {STYLES: self.styles} | ({} if self.norms is None else {NORMS: self.norms})

    def style_of(self, symbols: int) -> Tensor:
        """Style `(2 * style_dim,)` of a text by its number of symbols, those at the edges not counted; a text that is
        longer than `styles` gets the last one.

        Raises:
            ConfigError: if there are no symbols.
        """
        if symbols < 1:
            raise ConfigError(
                f"{symbols} symbols, expected at least 1", fix="Give a text with symbols that the model knows."
            )
        return self.styles[min(symbols, len(self.styles)) - 1]


def voice_from(tensors: Mapping[str, Tensor], where: str) -> KokoroVoice:
    """The voice that a file holds, in float32.

    Raises:
        ModelError: naming `where`, if it holds something else.
    """
    if not {STYLES} <= tensors.keys() <= {STYLES, NORMS}:
        raise ModelError(f"holds {_names(tensors)}, expected {STYLES}", where=where)
    norms = tensors.get(NORMS)
    return KokoroVoice(tensors[STYLES].float(), None if norms is None else norms.float())


def blend(voices: Mapping[str, KokoroVoice], weights: Mapping[str, float]) -> KokoroVoice:
    """Mix voices: the weighted mean of their styles; the last row of a shorter one stands for those that it lacks.
    Statistics are mixed if all have them.

    Args:
        voices: by name.
        weights: names of voices -> weight; their sum is scaled to 1.

    Raises:
        ConfigError: naming a voice that does not exist, or weights that are not positive.
    """
    unknown = [name for name in weights if name not in voices]
    if unknown:
        raise ConfigError(f"no voice {unknown[0]!r}", fix=f"There are {', '.join(sorted(voices)) or 'none'}.")
    if not weights or not all(0 < weight < float("inf") for weight in weights.values()):
        raise ConfigError(f"weights {dict(weights)}", fix="Give one voice or more, each with a weight above 0.")
    total = sum(weights.values())
    parts = [(voices[name], weight / total) for name, weight in weights.items()]
    rows = max(len(voice.styles) for voice, _ in parts)
    long = [
        torch.cat([voice.styles, voice.styles[-1:].expand(rows - len(voice.styles), -1)]) * weight
        for voice, weight in parts
    ]
    norms = [_of_any_length(voice.norms) * weight for voice, weight in parts if voice.norms is not None]
    return KokoroVoice(
        torch.stack(long).sum(dim=0), torch.stack(norms).sum(dim=0) if len(norms) == len(parts) else None
    )


def _of_any_length(norms: Tensor) -> Tensor:
    """Statistics with those of short utterances, `(4, channels)`."""
    return norms if len(norms) == 4 else torch.cat([norms, torch.zeros_like(norms)])


def check_voice(name: str, voice: KokoroVoice, style_dim: int, channels: int | None, where: str) -> None:
    """Refuse a voice that does not fit a model.

    Args:
        name: of the voice.
        voice: that is to fit.
        style_dim: of the model.
        channels: of the normalisations of its decoder together; None: not checked.
        where: names the voice in the error.

    Raises:
        ModelError: if the name is not made of letters, digits, `_` and `-`, or a shape does not fit, or a variance is
            below 0.
    """
    if not _NAME.fullmatch(name):
        raise ModelError(f"{name!r} is no name of a voice", where=where, fix="Use letters, digits, _ and -.")
    styles, norms = voice.styles, voice.norms
    if styles.dim() != 2 or not len(styles) or styles.shape[1] != 2 * style_dim:
        raise ModelError(f"has shape {tuple(styles.shape)}, expected (rows, {2 * style_dim})", where=where)
    if norms is None:
        return
    if norms.dim() != 2 or len(norms) not in (2, 4) or channels not in (None, norms.shape[1]):
        expected = "channels" if channels is None else channels
        raise ModelError(f"has {NORMS} of shape {tuple(norms.shape)}, expected (2 or 4, {expected})", where=where)
    if bool((norms[1] < 0).any()):
        raise ModelError(f"has a variance of {norms[1].min():g}", where=where)


def save_voices(folder: Path, voices: Mapping[str, KokoroVoice], dtype: torch.dtype = torch.float32) -> None:
    """Write a file per voice to a folder, which is created, in a number format.

    Raises:
        FileError: if a file cannot be written.
        ModelError: if a number is not finite, or too large for `dtype`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, voice in voices.items():
        tensors = {key: tensor.to(dtype) for key, tensor in voice.tensors.items()}
        save_tensors(folder / f"{name}.safetensors", tensors, {"format": "pt"})


def load_voices(folder: Path, style_dim: int) -> dict[str, KokoroVoice]:
    """Load all voices of a folder by name, in alphabetical order; none if there is no folder.

    Raises:
        ModelError: naming the file, if it is damaged or does not fit the model.
    """
    found: dict[str, KokoroVoice] = {}
    for path in sorted(folder.glob("*.safetensors")):
        where = printable(path)
        voice = voice_from(load_tensors(path), where)
        check_voice(path.stem, voice, style_dim, None, where)
        found[path.stem] = voice
    return found


def _names(tensors: Mapping[str, Tensor]) -> str:
    names: Sequence[str] = sorted(tensors)
    return ", ".join(names[:4]) or "nothing"
