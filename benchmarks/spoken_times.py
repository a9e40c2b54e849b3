"""Word times of a voice against forced alignment of what it says with a recogniser.

    python benchmarks/spoken_times.py VOICE --languages eng,spa --output benchmarks/results/spoken_times.json

The voice says `benchmarks/sentences/LANGUAGE.txt`; the recogniser (embedded, or --recogniser) aligns the words as they
are spoken with the samples. Distances are those of begins and of ends of words. An aligner has errors of its own: its
frames are 40 ms apart, and between words without a pause there is no true border. Sentences in which the aligner joins
or cuts words are left out and counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from clips import save, table
from rich.console import Console
from rich.progress import track
from speech_output import sentences
from timing import machine

from speech.choices import EMBEDDED
from speech.errors import SpeechError
from speech.recognizer import Recognizer
from speech.speaker import Speaker
from speech.transcript import Word
from speech.tts.speech_stream import SaidWord, SpeakingOptions


def distances(said: Sequence[SaidWord], aligned: Sequence[Word]) -> list[tuple[float, float]] | None:
    """Seconds between begins and between ends of words; None if there are other words."""
    if len(said) != len(aligned):
        return None
    return [
        (abs(ours.start_s - own.start_s), abs(ours.end_s - own.end_s)) for ours, own in zip(said, aligned, strict=True)
    ]


def figures(code: str, found: Sequence[list[tuple[float, float]] | None]) -> dict[str, Any]:
    """One row of the table, in milliseconds."""
    known = np.array([pair for own in found if own is not None for pair in own]).reshape(-1, 2) * 1000
    row: dict[str, Any] = {"language": code, "words": len(known), "left_out": sum(own is None for own in found)}
    for name, own in (("begin", known[:, 0]), ("end", known[:, 1])):
        if len(own):
            median, p95 = np.percentile(own, [50, 95])
            row |= {f"{name}_median_ms": round(float(median)), f"{name}_p95_ms": round(float(p95))}
    return row


def measured(speaker: Speaker, recogniser: Recognizer, code: str) -> list[list[tuple[float, float]] | None]:
    """Distances in each sentence of a language."""
    found: list[list[tuple[float, float]] | None] = []
    texts = sentences(code)
    for text in track(texts, description=code, transient=True):
        said = speaker.say(text, SpeakingOptions(language=code))
        spoken = " ".join(word.text for word in said.words)
        try:
            aligned = recogniser.align(said.samples, spoken, rate=said.sample_rate, language=code)
        except SpeechError:
            found.append(None)
            continue
        found.append(distances(said.words, aligned.words))
    return found


def main(
    voice: Annotated[str, typer.Argument(help="Voice model: a directory or hub id.")],
    languages: Annotated[str, typer.Option(help="With commas between.")] = "eng,spa,fra,ita,por,deu",
    recogniser: Annotated[str, typer.Option(help="CTC model that aligns.")] = EMBEDDED,
    output: Annotated[Path | None, typer.Option(help="Write figures as JSON.")] = None,
) -> None:
    """Print the table."""
    torch.set_num_threads(1)
    speaker, aligner = Speaker.from_pretrained(voice), Recognizer.from_pretrained(recogniser, beam=1)
    rows = [figures(code, measured(speaker, aligner, code)) for code in languages.split(",")]
    Console().print(table(rows))
    save(output, {"voice": Path(voice).name, "recogniser": recogniser, **machine(), "rows": rows})


if __name__ == "__main__":
    typer.run(main)
