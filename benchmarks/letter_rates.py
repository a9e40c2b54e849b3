"""How many letters a second people say: the table `USUAL_LETTERS_PER_S` of `speech/interpret/pace.py`.

    python benchmarks/letter_rates.py ROOT

Sixty training clips of at least two seconds a language, words by forced alignment of the known text, pauses left out;
median, and the tenth and ninetieth percentile.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import typer
from clips import table
from rich.console import Console
from rich.progress import track

from speech.audio.input.files import load_audio
from speech.data.manifest import Utterance, read_manifest
from speech.errors import SpeechError
from speech.interpret.pace import articulation
from speech.recognizer import Recognizer

CLIPS, LEAST_CLIPS, LEAST_S = 60, 40, 2.0


def main(root: Path) -> None:
    """Print the table."""
    recognizer, of = Recognizer.from_pretrained(), dict[str, list[Utterance]]()
    for clip in read_manifest(root / "train.jsonl", root):
        if clip.duration_s >= LEAST_S:
            of.setdefault(clip.language, []).append(clip)
    rows = list[dict[str, Any]]()
    for code, clips in of.items():
        if len(clips) < LEAST_CLIPS:
            continue
        random.Random(1).shuffle(clips)
        rates = [rate(recognizer, clip) for clip in track(clips[:CLIPS], description=code, transient=True)]
        found = [one for one in rates if one is not None]
        if found:
            tenth, median, ninetieth = (round(float(np.quantile(found, share)), 1) for share in (0.1, 0.5, 0.9))
            rows.append({"language": code, "clips": len(found), "p10": tenth, "median": median, "p90": ninetieth})
    Console().print(table(rows))


def rate(recognizer: Recognizer, clip: Utterance) -> float | None:
    """Letters a second of a clip; None: it cannot be aligned, or is too short."""
    try:
        said = articulation(recognizer.align(load_audio(clip.audio), clip.text, language=clip.language).words)
    except SpeechError:
        return None
    return said.letters / said.seconds if said.seconds > 1.0 else None


if __name__ == "__main__":
    typer.run(main)
