"""Translation of the test part in every direction of a model with several targets: chrF and BLEU.

    python benchmarks/translation_directions.py ROOT MODEL --every 8
        --output benchmarks/results/translation_directions.json

The language of the speech is given. Directions that the training left out (`label.held_out`) are marked with a star.
For comparison: the chrF of the transcripts, which translate nothing, and of the embedded model when it is told that the
speech is in the target language, which makes a Whisper translate to some degree.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from clips import every_nth, save
from rich.console import Console
from rich.progress import track
from rich.table import Table
from timing import machine
from translation import ENGLISH, LANGUAGES

from speech.audio.input.files import load_audio
from speech.data.manifest import Utterance, read_manifest
from speech.metrics.translation import BLEU, CHRF, translation_figures
from speech.models.checkpoint import load_label_outline
from speech.models.hub import EMBEDDED
from speech.recognizer import Recognizer

TOLD = "embedded, told the target"


def main(
    root: Path,
    model: Annotated[Path, typer.Argument(help="Label model of `recipes/hybrid/train.py`.")],
    every: Annotated[int, typer.Option(help="Hear only each N-th utterance of a language.")] = 1,
    least: Annotated[int, typer.Option(help="Leave out directions with fewer clips.")] = 5,
    output: Annotated[Path | None, typer.Option(help="Write figures and texts as JSON.")] = None,
) -> None:
    """Print the table."""
    torch.set_num_threads(1)
    outline = load_label_outline(model)
    targets, held_out = outline.tokenizer.targets, set(outline.info["label"]["held_out"])
    translated = [
        u for u in read_manifest(root / "test.jsonl", root) if any(code in u.translations for code in targets)
    ]
    clips = every_nth(translated, every, (ENGLISH, *LANGUAGES))
    ours = Recognizer.from_pretrained(str(model), measured_targets=False)
    embedded = Recognizer.from_pretrained(EMBEDDED)
    said: dict[str, dict[str, list[str]]] = {}
    pairs: dict[str, list[tuple[Utterance, str]]] = {}
    for clip in track(clips, description="translating", transient=True):
        samples = load_audio(clip.audio)
        for target in targets:
            if target == clip.language or not clip.translations.get(target):
                continue
            direction = f"{clip.language}-{target}"
            pairs.setdefault(direction, []).append((clip, target))
            found = said.setdefault(direction, {"ours": [], TOLD: [], "transcript": []})
            found["ours"].append(ours.transcribe(samples, language=clip.language, to=target).text)
            found[TOLD].append(embedded.transcribe(samples, language=target).text)
            found["transcript"].append(clip.text)
    kept = [direction for direction, own in pairs.items() if len(own) >= least]
    groups = {direction: [direction] for direction in sorted(kept, key=lambda name: name[::-1])}
    for target in targets:
        groups[f"all-{target}"] = [name for name in kept if name.endswith(target) and name not in held_out]
    groups["zero-shot"] = [name for name in kept if name in held_out]
    record: dict[str, Any] = {"machine": machine(), "every": every, "clips": len(clips), "held_out": sorted(held_out)}
    record["directions"] = {name: scored(own, pairs, said) for name, own in groups.items() if own}
    show(Console(highlight=False, width=120), record)
    record["texts"] = {
        name: {clip.id: {kind: said[name][kind][n] for kind in ("ours", TOLD)} for n, (clip, _) in enumerate(own)}
        for name, own in pairs.items()
    }
    save(output, record)


def scored(
    directions: Sequence[str], pairs: dict[str, list[tuple[Utterance, str]]], said: dict[str, dict[str, list[str]]]
) -> dict[str, Any]:
    """Figures over several directions together."""
    chosen = [pair for name in directions for pair in pairs[name]]
    references, into = [clip.translations[target] for clip, target in chosen], [target for _, target in chosen]
    found: dict[str, Any] = {"clips": len(chosen)}
    for kind in ("ours", TOLD, "transcript"):
        texts = [text for name in directions for text in said[name][kind]]
        figures = translation_figures(references, texts, into)
        every = range(len(texts))
        found[kind] = {name: round(figures[name].over(every) or 0.0, 2) for name in (BLEU, CHRF)}
    return found


def show(console: Console, record: dict[str, Any]) -> None:
    """Print the figures as a table."""
    table = Table("direction", "clips", "chrF", "BLEU", f"chrF: {TOLD}", "chrF: transcript")
    for name, one in record["directions"].items():
        star = " *" if name in record["held_out"] else ""
        ours = one["ours"]
        others = (one[kind][CHRF] for kind in (TOLD, "transcript"))
        table.add_row(name + star, str(one["clips"]), *(f"{v:.1f}" for v in (ours[CHRF], ours[BLEU], *others)))
    console.print({key: value for key, value in record.items() if key != "directions"})
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
