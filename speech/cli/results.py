"""Renders the result of one file as text, JSON or subtitles, and chooses its path."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from speech.cli.console import to_json
from speech.errors import ConfigError, SpeechError
from speech.files import printable
from speech.transcript import USUAL, SubtitleStyle, Transcript


class OutputFormat(StrEnum):
    txt = "txt"
    json = "json"
    jsonl = "jsonl"
    srt = "srt"
    vtt = "vtt"


SUBTITLES = frozenset({OutputFormat.srt, OutputFormat.vtt})


@dataclass(frozen=True, slots=True)
class Rendering:
    """Output format and subtitle style."""

    format: OutputFormat = OutputFormat.txt
    style: SubtitleStyle = USUAL
    """Subtitle style."""

    @property
    def identity(self) -> str:
        """Identifies everything in the rendering that the output text depends on."""
        return str(self.format) if self.style == USUAL else f"{self.format} {self.style}"

    def render(self, path: str, transcript: Transcript) -> str:
        """Render the transcript of one file as text.

        Raises:
            SpeechError: if a number in it is not finite.
        """
        if self.format == OutputFormat.srt:
            return transcript.to_srt(self.style)
        if self.format == OutputFormat.vtt:
            return transcript.to_vtt(self.style)
        if self.format == OutputFormat.txt:
            return transcript.text + "\n"
        return to_json(record(path, transcript), where=printable(path)) + "\n"


def record(path: str, result: Transcript | SpeechError) -> dict[str, Any]:
    """JSON record of a file. Bytes of its name that are not UTF-8, which JSON cannot hold, are written \\xNN."""
    if isinstance(result, SpeechError):
        return {"path": printable(path), "error": str(result)}
    return {"path": printable(path), **result.to_dict()}


def style_of(
    format: OutputFormat,
    max_line_width: int | None = None,
    max_lines: int | None = None,
    max_cps: float | None = None,
    highlight_words: bool = False,
) -> SubtitleStyle:
    """Subtitle style from options; None means the default.

    Raises:
        ConfigError: if a value is out of range, or the format is not a subtitle format.
    """
    given: dict[str, Any] = {"max_line_width": max_line_width, "max_lines": max_lines, "max_cps": max_cps}
    given = {name: value for name, value in given.items() if value is not None}
    if highlight_words:
        given["highlight_words"] = True
    if given and format not in SUBTITLES:
        option = f"--{next(iter(given)).replace('_', '-')}"
        raise ConfigError(f"{option} applies to subtitles, not {format}", fix="Add --format srt or vtt, or omit it.")
    return SubtitleStyle(**given)


def target_paths(files: Sequence[str], folder: Path, format: OutputFormat) -> dict[str, Path]:
    """Map each file to its output path below `folder`; paths relative to the common parent are kept.

    Raises:
        ConfigError: if two files would be written to the same place.
    """
    if not files:
        return {}
    absolute = [Path(file).absolute() for file in files]
    base = Path(os.path.commonpath([path.parent for path in absolute]))
    targets = {
        f: folder / path.relative_to(base).with_suffix(f".{format}") for f, path in zip(files, absolute, strict=True)
    }
    seen: dict[Path, str] = {}
    for file, target in targets.items():
        if target in seen:
            both = f"{printable(seen[target])} and {printable(file)}"
            raise ConfigError(f"{both} would both be written to {printable(target)}", fix="Rename one.")
        seen[target] = file
    return targets
