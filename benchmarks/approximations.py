"""Effect of faster computation on the text: true length instead of padding, few tokens fed back, lower precision.

    uv run --extra train benchmarks/approximations.py ROOT --every 24

ROOT holds `test.jsonl` and its audio. Each row differs from the first in one setting.
"""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from speech.audio.input.files import load_audio
from speech.data.manifest import read_manifest
from speech.metrics.edit.alignment import ErrorCounts
from speech.metrics.edit.error_rate import text_errors
from speech.models.hub import EMBEDDED
from speech.models.precision import Precision
from speech.recognize.offline import Cut, OfflineConfig
from speech.recognize.windows import WindowConfig
from speech.recognizer import Recognizer

ROWS: dict[str, dict[str, Any]] = {
    "float32, true length": {},
    "filled with zeros to 30 s": {"padded": True},
    "cut at pauses": {"cut": Cut.pauses},
    "32 tokens fed back": {"conditioning_top": 32},
    "16 tokens fed back": {"conditioning_top": 16},
    "8 tokens fed back": {"conditioning_top": 8},
    "int8": {"precision": Precision.int8},
    "bfloat16": {"precision": Precision.bfloat16},
}


def main(
    root: Path,
    model: str = EMBEDDED,
    every: Annotated[int, typer.Option(help="Take every n-th clip.")] = 24,
    longest_s: Annotated[float, typer.Option(help="Leave out longer ones.")] = 30.0,
    rows: Annotated[str, typer.Option(help="Which, by number from 1, with commas.")] = "1,2,3,4,5,6,7",
    output: Annotated[Path | None, typer.Option(help="Write the figures as JSON.")] = None,
) -> None:
    """Print error rates and the number of texts equal to those of the first row; decoding is greedy."""
    clips = [clip for clip in read_manifest(root / "test.jsonl", root)[::every] if clip.duration_s <= longest_s]
    names = list(ROWS)
    table, record, first = Table("", "WER", "texts as the first", box=None), {}, []
    for name in [names[int(number) - 1] for number in rows.split(",")]:
        recognizer = open_recognizer(model, **ROWS[name])
        counts, texts = ErrorCounts(), []
        for clip in track(clips, description=name, transient=True):
            texts.append(recognizer.transcribe(load_audio(clip.audio), language=clip.language or "auto").text)
            counts += text_errors(clip.text, texts[-1], clip.languages).words
        first = first or texts
        same = sum(a == b for a, b in zip(first, texts, strict=True))
        table.add_row(name, f"{counts.rate:.4f}", f"{same} of {len(clips)}")
        record[name] = {"wer": counts.rate, "same": same, "clips": len(clips)}
    Console(highlight=False).print(table)
    if output is not None:
        output.write_text(json.dumps(record, indent=1) + "\n", "utf-8")


def open_recognizer(
    model: str,
    precision: Precision = Precision.float32,
    cut: Cut = Cut.windows,
    padded: bool = False,
    conditioning_top: int | None = None,
) -> Recognizer:
    """A recognizer that reads each clip in one window, unless it is cut at pauses."""
    window = WindowConfig(size_s=30.4, context_s=0.0, padded=padded)
    return Recognizer.from_pretrained(
        model,
        precision=precision,
        beam=1,
        config=OfflineConfig(cut=cut, window=window),
        conditioning_top=conditioning_top,
    )


if __name__ == "__main__":
    typer.run(main)
