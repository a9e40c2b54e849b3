"""Translation of the test part into English, compared with Whisper-base in the same run: BLEU, chrF, speed.

    uv run --extra train --extra score --group peers benchmarks/translation.py ROOT --model DIR
        --peer-model WHISPER_BASE --every 4 --output benchmarks/results/translation.json

The language is given to both. Texts are compared as written (sacrebleu). The systems take turns in going first on each
clip, on one thread of one process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from clips import every_nth, save
from peer import Peer, Said
from rich.console import Console
from rich.progress import track
from rich.table import Table
from timing import Spent, machine, timed

from speech.audio.input.files import load_audio
from speech.data.manifest import Utterance, read_manifest
from speech.metrics.translation import BLEU, CHRF, translation_figures
from speech.models.hub import EMBEDDED
from speech.recognizer import Recognizer

LANGUAGES = ("fra", "spa", "deu", "ita", "ron", "rus", "por")
ENGLISH = "eng"
OURS, PEER = "ours", "peer"


def main(
    root: Path,
    model: str = EMBEDDED,
    peer_model: Annotated[Path | None, typer.Option(help="Whisper-base, as CTranslate2 has it.")] = None,
    every: Annotated[int, typer.Option(help="Hear only each N-th utterance of a language.")] = 1,
    output: Annotated[Path | None, typer.Option(help="Write figures and texts as JSON.")] = None,
) -> None:
    """Print the table."""
    torch.set_num_threads(1)
    translated = [u for u in read_manifest(root / "test.jsonl", root) if u.translations.get(ENGLISH)]
    clips = every_nth(translated, every, LANGUAGES)
    recognizer = Recognizer.from_pretrained(model, measured_targets=False)
    peer = Peer(peer_model) if peer_model is not None else None

    def ours(samples: np.ndarray, code: str) -> Said:
        result, spent = timed(lambda: recognizer.transcribe(samples, language=code, to=ENGLISH))
        return Said(result.text, result.language, spent)

    systems: dict[str, Callable[[np.ndarray, str], Said]] = {OURS: ours}
    if peer is not None:
        systems[PEER] = lambda samples, code: peer.transcribe(samples, code, "translate")
    said = hear(clips, systems)
    console = Console(highlight=False, width=120)
    record: dict[str, Any] = {"machine": machine(), "every": every, "peer": peer.name if peer is not None else ""}
    record |= {"clips": len(clips), "seconds": round(sum(clip.duration_s for clip in clips), 1)}
    record["systems"] = {name: scored(clips, said[name]) for name in systems}
    show(console, record)
    record["texts"] = {clip.id: {name: said[name][n].text for name in systems} for n, clip in enumerate(clips)}
    save(output, record)


def hear(clips: Sequence[Utterance], systems: dict[str, Callable[[np.ndarray, str], Said]]) -> dict[str, list[Said]]:
    """Translate each clip with each system."""
    found: dict[str, list[Said]] = {name: [] for name in systems}
    for system in systems.values():  # warm-up: compiles
        system(load_audio(clips[0].audio), clips[0].language)
    for number, clip in enumerate(track(clips, description="translating", transient=True)):
        samples = load_audio(clip.audio)
        order = list(systems) if number % 2 == 0 else list(systems)[::-1]
        for name in order:
            found[name].append(systems[name](samples, clip.language))
    return found


def scored(clips: Sequence[Utterance], said: Sequence[Said]) -> dict[str, Any]:
    """BLEU, chrF and RTF by language and overall."""
    references = [clip.translations[ENGLISH] for clip in clips]
    figures = translation_figures(references, [one.text for one in said], [ENGLISH] * len(clips))
    found: dict[str, Any] = {"signatures": [figures[name].signature for name in (BLEU, CHRF)], "languages": {}}
    for code in [*LANGUAGES, "all"]:
        places = [n for n, clip in enumerate(clips) if code in (clip.language, "all")]
        if not places:
            continue
        audio_s = sum(clips[n].duration_s for n in places)
        spent = sum((said[n].spent for n in places), Spent())
        values = {name: round(figures[name].over(places) or 0.0, 2) for name in (BLEU, CHRF)}
        found["languages"][code] = {"clips": len(places), **values, "rtf": spent.per(audio_s)}
    return found


def show(console: Console, record: dict[str, Any]) -> None:
    """Print the figures as a table."""
    systems = record["systems"]
    columns = [f"{name} {what}" for what in ("chrF", "BLEU", "RTF, wall / CPU") for name in systems]
    table = Table("into English", "clips", *columns)
    for code, one in next(iter(systems.values()))["languages"].items():
        own = [found["languages"][code] for found in systems.values()]
        rtfs = [f"{o['rtf']['wall']:.3f} / {o['rtf']['cpu']:.3f}" for o in own]
        cells = [*(f"{o[CHRF]:.1f}" for o in own), *(f"{o[BLEU]:.1f}" for o in own), *rtfs]
        table.add_row(code, str(one["clips"]), *cells)
    console.print({key: value for key, value in record.items() if key != "systems"})
    console.print(table, *next(iter(systems.values()))["signatures"])


if __name__ == "__main__":
    typer.run(main)
